// Which tabs show the presence of which rooms. The core watches a room as long as any tab does; a tab
// that is gone watches nothing.

import type { Tab } from './tabs';

export class Watches {
  readonly #tabs = new Map<number, Set<Tab>>();

  watch(tab: Tab, roomId: number): void {
    const tabs = this.#tabs.get(roomId) ?? new Set();
    this.#tabs.set(roomId, tabs.add(tab));
  }

  /** Whether no tab watches the room any more. */
  unwatch(tab: Tab, roomId: number): boolean {
    const tabs = this.#tabs.get(roomId);
    if (!tabs?.delete(tab) || tabs.size > 0) return false;
    this.#tabs.delete(roomId);
    return true;
  }

  /** The tab is gone; gives the rooms that no tab watches any more. */
  forget(tab: Tab): number[] {
    return [...this.#tabs.keys()].filter((roomId) => this.unwatch(tab, roomId));
  }
}
