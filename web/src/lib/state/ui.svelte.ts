// What is open on the page: dialogs, the details panel, what the composer is about. No data.

import { MediaQuery } from 'svelte/reactivity';
import type { Message } from '../protocol/Message';

export type Dialog =
  | { kind: 'switcher' }
  | { kind: 'create'; name: string }
  | { kind: 'browse' }
  | { kind: 'invite'; roomId: number }
  | { kind: 'settings'; roomId: number }
  | { kind: 'confirm'; title: string; text: string; action: string; run: () => Promise<void> };

/** What the composer of a room is about, other than a new message. */
export interface Intent {
  replyTo?: Message;
  editing?: Message;
}

export const phone = new MediaQuery('(max-width: 640px)');
export const wide = new MediaQuery('(min-width: 1200px)');
export const coarse = new MediaQuery('(pointer: coarse)');

class Ui {
  dialog = $state.raw<Dialog | undefined>();
  details = $state(false);
  detailsTab = $state<'members' | 'pinned'>('members');
  /** A message to scroll to, once. */
  jump = $state.raw<{ roomId: number; messageNo: number } | undefined>();
  /** Counts own sends and "jump to latest", each of which shows the end of the list. */
  toEnd = $state(0);
  /** Whether the user has done something since the page was loaded or came back to view. Only
   * then is what is visible also read. */
  engaged = $state(false);
  #intents = $state.raw<ReadonlyMap<number, Intent>>(new Map());

  intent(roomId: number): Intent {
    return this.#intents.get(roomId) ?? {};
  }

  setIntent(roomId: number, intent: Intent): void {
    this.#intents = new Map(this.#intents).set(roomId, intent);
    // On the next frame, when the composer shows it.
    requestAnimationFrame(() => focusComposer());
  }

  reset(): void {
    this.dialog = undefined;
    this.#intents = new Map();
  }
}

export const ui = new Ui();

export function focusComposer(): void {
  document.querySelector<HTMLTextAreaElement>('#draft')?.focus();
}
