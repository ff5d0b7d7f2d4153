// A tab's way to the worker that runs the client core: a SharedWorker for all tabs of the browser,
// or, where there is none (Chrome on Android), a worker of this tab alone. The link outlives its
// worker: one that ends or falls silent is replaced, and whoever holds the link says everything again.

import {
  type FromWorker,
  PING_MS,
  PONG_TIMEOUT_MS,
  SILENCE_MAX_MS,
  type ToWorker,
} from '../../worker/messages';
import workerUrl from '../../worker/worker.ts?worker&url';

const RESTART_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A worker that lived this long was well: the next restart is quick again. */
const HEALTHY_MS = 60_000;
/** How long a new worker may take to load and speak. */
const LOAD_TIMEOUT_MS = 60_000;

/** What the worker tells, less what the link sees to itself. */
export type Told = Exclude<FromWorker, { type: 'pong' | 'gone' | 'crashed' }>;

interface Endpoint {
  port: { postMessage(message: ToWorker): void; onmessage: ((event: MessageEvent) => void) | null };
  close(): void;
}

/** As far as it is used here; TypeScript does not know it yet. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

export class WorkerLink {
  #endpoint: Endpoint | undefined;
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #pingedAt: number | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  readonly #tab = tabName();
  readonly #onMessage: (message: Told) => void;
  readonly #onAttached: (missed: boolean) => void;

  /**
   * `onAttached` is called whenever a worker is attached that knows nothing of this tab. `missed`: the
   * tab may not have heard everything that the worker before told.
   */
  constructor(onMessage: (message: Told) => void, onAttached: (missed: boolean) => void) {
    this.#onMessage = onMessage;
    this.#onAttached = onAttached;
    setInterval(() => this.#tick(), PING_MS);
    addEventListener('pagehide', () => this.post({ type: 'bye' }));
    addEventListener('pageshow', (event) => {
      if (event.persisted) this.#attach(true);
    });
  }

  open(): void {
    this.#openedAt = performance.now();
    this.#pingedAt = undefined;
    this.#endpoint = connect((message) => this.#fail(message));
    this.#endpoint.port.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    // A worker that had let go of this tab told it less than the others.
    this.#attach(performance.now() - this.#heardAt > SILENCE_MAX_MS / 2);
  }

  /** Without a worker the message is dropped: `onAttached` says it again. */
  post(message: ToWorker): void {
    this.#endpoint?.port.postMessage(message);
  }

  #attach(missed: boolean): void {
    if (!this.#endpoint) return;
    this.post({ type: 'attach', tab: this.#tab });
    this.#onAttached(missed);
  }

  #receive(message: FromWorker): void {
    this.#heardAt = performance.now();
    if (message.type === 'pong') this.#pingedAt = undefined;
    else if (message.type === 'gone') this.#attach(true);
    else if (message.type === 'crashed') this.#fail(message.message);
    else this.#onMessage(message);
  }

  #tick(): void {
    if (!this.#endpoint) return;
    const now = performance.now();
    if (this.#heardAt < this.#openedAt && now - this.#openedAt < LOAD_TIMEOUT_MS) return;
    if (this.#pingedAt !== undefined && now - this.#pingedAt > PONG_TIMEOUT_MS) {
      this.#fail('no answer');
      return;
    }
    this.#pingedAt ??= now;
    this.post({ type: 'ping' });
  }

  #fail(reason: string): void {
    if (!this.#endpoint) return;
    console.error(`the client's worker ended: ${reason}`);
    this.#endpoint.port.onmessage = null;
    this.#endpoint.close();
    this.#endpoint = undefined;
    if (performance.now() - this.#openedAt > HEALTHY_MS) this.#failures = 0;
    const wait = Math.min(RESTART_MS * 2 ** this.#failures, RESTART_MAX_MS);
    this.#failures += 1;
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => this.open(), wait);
  }
}

// Scripts of workers are a Trusted Types sink: this policy accepts the one URL there is.
const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
const policy = trustedTypes?.createPolicy('hub-worker', {
  createScriptURL(url) {
    if (url !== workerUrl) throw new TypeError(`${url} is not the client's worker`);
    return url;
  },
});

function connect(onError: (message: string) => void): Endpoint {
  const url = (policy?.createScriptURL(workerUrl) ?? workerUrl) as string;
  const options = { type: 'module', name: 'hubbub' } as const;
  if ('SharedWorker' in globalThis) {
    const worker = new SharedWorker(url, options);
    worker.onerror = () => onError('failed to load');
    return { port: worker.port, close: () => worker.port.close() };
  }
  const worker = new Worker(url, options);
  worker.onerror = (event) => onError(event.message || 'failed to load');
  return { port: worker, close: () => worker.terminate() };
}

/** A name that a tab keeps over reloads, so that its own worker finds its outbox again. */
function tabName(): string {
  const key = 'hubbub-tab';
  const fresh = uuid();
  try {
    const kept = sessionStorage.getItem(key);
    if (kept) return kept;
    sessionStorage.setItem(key, fresh);
  } catch {
    // Storage is switched off: the tab is a new one after each reload.
  }
  return fresh;
}

/** A random UUID. `crypto.randomUUID` is missing where the page is served by plain HTTP. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
