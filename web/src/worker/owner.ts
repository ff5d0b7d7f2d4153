// Which worker sends what is in the outbox. Where there is a SharedWorker, there is one outbox and one
// owner. Elsewhere each tab has a worker and an outbox of its own, and what a closed tab left behind
// goes to whoever finds it. An owner holds a Web Lock as long as it lives; a send that two owners hold
// for a moment is harmless, for a node takes it once by its client_id.

import type { OutboxRow, Store } from './store';

const lockOf = (owner: string): string => `hubbub-outbox ${owner}`;

/** Says that `owner` lives, until this worker ends. */
export function live(owner: string): void {
  navigator.locks?.request(lockOf(owner), () => new Promise(() => {}));
}

/** Hands the sends of `sub` that other owners left to `adopt`, each owner's once it is gone. */
export function inherit(
  store: Store,
  sub: string,
  rows: readonly OutboxRow[],
  adopt: (row: OutboxRow) => void,
): void {
  for (const owner of new Set(rows.map((row) => row.owner))) {
    const take = async () => {
      for (const row of await store.outbox(sub)) if (row.owner === owner) adopt(row);
    };
    // Without Web Locks (they need a secure context) nobody can tell whether the other lives.
    void (navigator.locks ? navigator.locks.request(lockOf(owner), take) : take());
  }
}
