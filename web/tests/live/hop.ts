// A TCP hop between a browser and the hub that can be cut or stalled. `context.setOffline` does not
// reach the socket of a SharedWorker, so this is how a connection is lost in these tests.

import { connect, createServer, type Server, type Socket } from 'node:net';

type State = 'open' | 'stalled' | 'cut';

interface Pair {
  near: Socket;
  far: Socket;
  webSocket: boolean;
}

export class Hop {
  #state: State = 'open';
  readonly #pairs = new Set<Pair>();
  readonly #server: Server;
  #webSockets = 0;
  #node: string | undefined;

  private constructor(readonly target: number) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  static async open(target: number): Promise<Hop> {
    const hop = new Hop(target);
    await new Promise<void>((resolve, reject) => {
      hop.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return hop;
  }

  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the hop does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** WebSockets that were opened through this hop so far. */
  get webSocketsOpened(): number {
    return this.#webSockets;
  }

  /** WebSockets that are open now. */
  get webSocketsOpen(): number {
    return [...this.#pairs].filter((pair) => pair.webSocket).length;
  }

  /** The node that last welcomed a client here, by the name that it gave itself. */
  get node(): string | undefined {
    return this.#node;
  }

  /** Resets every connection, and every new one at once. */
  cut(): void {
    this.#state = 'cut';
    for (const pair of this.#pairs) this.#drop(pair);
  }

  /** Nothing comes through any more, and neither side is told. */
  stall(): void {
    this.#state = 'stalled';
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** Lets everything through again, what was held back included. */
  resume(): void {
    this.#state = 'open';
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket): void {
    near.on('error', () => near.destroy());
    if (this.#state === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const pair = { near, far, webSocket: false };
    this.#pairs.add(pair);
    near.on('data', (bytes) => {
      if (!pair.webSocket && bytes.subarray(0, 8).toString('latin1') === 'GET /ws ') {
        pair.webSocket = true;
        this.#webSockets += 1;
      }
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      // Text inside of a frame has its quotes escaped.
      if (pair.webSocket) this.#node = /"node":"([^"]+)"/.exec(bytes.toString('latin1'))?.[1] ?? this.#node;
      near.write(bytes);
    });
    near.on('end', () => far.end());
    far.on('end', () => near.end());
    far.on('error', () => this.#drop(pair));
    near.on('close', () => this.#drop(pair));
    far.on('close', () => this.#drop(pair));
    if (this.#state === 'stalled') {
      near.pause();
      far.pause();
    }
  }

  #drop(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.near.destroy();
    pair.far.destroy();
  }
}
