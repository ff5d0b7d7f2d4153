// The tabs that share this worker. A port does not tell when its tab is gone: a tab says `bye`, and
// one that was silent for too long is let go. If it was only asleep, its next word is answered by
// `gone`, and it attaches again.

import { type FromWorker, SILENCE_MAX_MS, type ToWorker } from './messages';

/** A tab as the worker sees it. */
export class Tab {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  heardAt = performance.now();

  constructor(
    /** Names the tab; the same after a reload. */
    readonly name: string,
    port: Pick<MessagePort, 'postMessage'>,
  ) {
    this.#port = port;
  }

  post(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}

export type Said = Exclude<ToWorker, { type: 'attach' | 'ping' | 'bye' }>;
type Port = Pick<MessagePort, 'postMessage' | 'onmessage'>;

export class Tabs {
  readonly #tabs = new Set<Tab>();
  readonly #onSaid: (tab: Tab, message: Said) => void;
  readonly #onAttached: (tab: Tab) => void;
  readonly #onGone: (tab: Tab) => void;

  constructor(
    onAttached: (tab: Tab) => void,
    onSaid: (tab: Tab, message: Said) => void,
    onGone: (tab: Tab) => void,
  ) {
    this.#onAttached = onAttached;
    this.#onSaid = onSaid;
    this.#onGone = onGone;
    setInterval(() => this.#sweep(), SILENCE_MAX_MS / 4);
  }

  /** Listens to a port. */
  accept(port: Port): void {
    let tab: Tab | undefined;
    port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
      if (data.type === 'attach') {
        if (tab) this.#letGo(tab);
        tab = new Tab(data.tab, port);
        this.#tabs.add(tab);
        this.#onAttached(tab);
        return;
      }
      if (!tab || !this.#tabs.has(tab)) {
        if (data.type !== 'bye') port.postMessage({ type: 'gone' } satisfies FromWorker);
        return;
      }
      tab.heardAt = performance.now();
      if (data.type === 'ping') tab.post({ type: 'pong' });
      else if (data.type === 'bye') this.#letGo(tab);
      else this.#onSaid(tab, data);
    };
  }

  /** Tells every tab but one. */
  post(message: FromWorker, except?: Tab): void {
    for (const tab of this.#tabs) if (tab !== except) tab.post(message);
  }

  #sweep(): void {
    const oldest = performance.now() - SILENCE_MAX_MS;
    for (const tab of this.#tabs) if (tab.heardAt < oldest) this.#letGo(tab);
  }

  #letGo(tab: Tab): void {
    if (this.#tabs.delete(tab)) this.#onGone(tab);
  }
}
