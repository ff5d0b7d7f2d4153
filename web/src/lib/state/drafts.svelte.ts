// What was written in each room and not sent yet. Kept in this browser until it is.

import { SvelteMap } from 'svelte/reactivity';
import { read, write } from './storage';

const KEY = 'hubbub.drafts';

class Drafts {
  #byRoom = new SvelteMap<number, string>(load());

  get(roomId: number): string {
    return this.#byRoom.get(roomId) ?? '';
  }

  set(roomId: number, text: string): void {
    if (text.trim() === '') this.#byRoom.delete(roomId);
    else this.#byRoom.set(roomId, text);
    this.#save();
  }

  clear(): void {
    this.#byRoom.clear();
    this.#save();
  }

  #save(): void {
    write(KEY, this.#byRoom.size > 0 ? JSON.stringify([...this.#byRoom]) : undefined);
  }
}

function load(): [number, string][] {
  try {
    const kept: unknown = JSON.parse(read(KEY) ?? '[]');
    if (!Array.isArray(kept)) return [];
    return kept.filter((pair) => typeof pair?.[0] === 'number' && typeof pair?.[1] === 'string');
  } catch {
    return [];
  }
}

export const drafts = new Drafts();
