// A real hub on a free port with its own data folder, which a test may kill and start again.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
/** What is kept of the hub's log, for a test that failed. */
const LOG_CHARS_MAX = 200_000;

/** Where people reach a hub: itself, or a proxy in front of several. */
export interface Front {
  readonly port: number;
}

export class Hub implements Front {
  log = '';
  #process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly data: string,
    readonly settings: Record<string, string>,
  ) {}

  /** Starts a hub with these settings beside the usual ones. */
  static async start(settings: Record<string, string> = {}): Promise<Hub> {
    const hub = new Hub(await freePort(), await mkdtemp(join(tmpdir(), 'hubbub-live-')), settings);
    await hub.start();
    return hub;
  }

  async start(): Promise<void> {
    const child = spawn(binary(), [], {
      cwd: this.data,
      env: {
        PATH: process.env.PATH,
        LISTEN: `127.0.0.1:${this.port}`,
        HUB_DATA: join(this.data, 'data'),
        RUST_LOG: 'info',
        ...this.settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.log = (this.log + text).slice(-LOG_CHARS_MAX);
      });
    }
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#ready())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the hub did not start:\n${this.log}`);
      }
      await new Promise((wake) => setTimeout(wake, 25));
    }
  }

  /** `kill -9`: no farewell, nothing flushed. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    await rm(this.data, { recursive: true, force: true });
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const last = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exit;
    clearTimeout(last);
  }

  async #ready(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/ready`).catch(() => undefined);
    return answer?.ok ?? false;
  }
}

function binary(): string {
  const root = resolve(import.meta.dirname, '../../..');
  const places = ['target/release/hub', 'target/debug/hub'].map((place) => join(root, place));
  const found = process.env.HUB_BIN ?? places.find((place) => existsSync(place));
  if (!found) throw new Error(`no hub to test: set HUB_BIN, or build ${places.join(' or ')}`);
  return resolve(root, found);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
