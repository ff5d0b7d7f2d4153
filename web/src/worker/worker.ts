// The worker's beginning: a SharedWorker for all tabs of this browser, or a tab's own worker where
// there is none. If the client core fails (a defect: WebAssembly cannot go on after a trap), the worker
// ends itself and the tabs make a new one; what is not acknowledged is in the outbox.

import init from '../wasm/client';
import wasmUrl from '../wasm/client_bg.wasm?url';
import { Host } from './host';
import { Store } from './store';
import { type Said, type Tab, Tabs } from './tabs';

/** How long a failing worker tries to keep what is not written yet. */
const FLUSH_MS = 1_000;

interface SharedScope {
  onconnect: ((event: MessageEvent) => void) | null;
}

let host: Host | undefined;
let crashed = false;
/** What the tabs said before the core was loaded. */
const early: [Tab, Said][] = [];

const tabs = new Tabs(
  (tab) => void start(tab),
  (tab, message) => {
    if (crashed) return;
    if (host) take(host, tab, message);
    else early.push([tab, message]);
  },
  (tab) => {
    if (!crashed && host) attempt(() => host?.forget(tab));
  },
);

function take(to: Host, tab: Tab, message: Said): void {
  attempt(() => {
    if (message.type === 'snapshot') {
      tab.post({ type: 'snapshot', listener: message.listener, ...to.snapshot() });
    } else if (message.type === 'call') {
      to.call({ tab, id: message.id }, message.call);
    } else {
      to.signal(message.signal, tab);
    }
  });
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    void crash(error);
  }
}

let starting = false;

/** Loads everything, for the first tab. */
async function start(first: Tab): Promise<void> {
  if (starting) return;
  starting = true;
  try {
    const [store] = await Promise.all([Store.open(), init({ module_or_path: wasmUrl })]);
    const owner = isShared() ? `shared ${location.pathname}` : first.name;
    host = new Host(store, owner, tabs);
    for (const [tab, message] of early.splice(0)) take(host, tab, message);
  } catch (error) {
    await crash(error);
  }
}

async function crash(error: unknown): Promise<void> {
  if (crashed) return;
  crashed = true;
  console.error('the client failed', error);
  const late = new Promise((wake) => setTimeout(wake, FLUSH_MS));
  await Promise.race([host?.flushed(), late]).catch(() => undefined);
  tabs.post({ type: 'crashed', message: String(error) });
  close();
}

/** A trap in a callback of the browser (a socket, a timer) arrives here. */
function onUncaught(error: unknown): void {
  if (error instanceof WebAssembly.RuntimeError) void crash(error);
}

function isShared(): boolean {
  return 'SharedWorkerGlobalScope' in globalThis;
}

addEventListener('error', (event) => onUncaught(event.error));
addEventListener('unhandledrejection', (event) => onUncaught(event.reason));
if (isShared()) {
  (globalThis as unknown as SharedScope).onconnect = ({ ports: [port] }) => {
    if (port) tabs.accept(port);
  };
} else {
  tabs.accept(globalThis as unknown as MessagePort);
}
