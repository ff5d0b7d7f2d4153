// Keys on the list: arrows go from message to message, letters act on the one in focus.

import type { Message } from '../protocol/Message';
import type { Room } from '../protocol/Room';
import type { RoomState } from '../state/room.svelte';
import type { Row } from '../state/rows';
import type { Session } from '../state/session.svelte';
import { ui } from '../state/ui.svelte';
import { confirmDelete, copyText, mayDelete, mayEdit, mayPin, togglePin } from './message-acts';
import type { VirtualList } from './virtual.svelte';

interface Context {
  session: Session;
  room: Room;
  loaded: RoomState;
  list: VirtualList;
  rows: readonly Row[];
  activate: (key: string) => void;
}

export function messageKeys(event: KeyboardEvent, context: Context): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const log = event.currentTarget as HTMLElement;
  const focus = document.activeElement;
  if (!(focus instanceof HTMLElement)) return;
  const inMessage = focus.matches('.message');
  if (focus !== log && !inMessage) return;
  const rowElement = focus.closest<HTMLElement>('.row');
  const at = rowElement ? Number(rowElement.dataset.index) : context.rows.length;

  if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
    event.preventDefault();
    move(context, log, at, event.key === 'ArrowUp' ? -1 : 1);
    return;
  }
  const row = context.rows[at];
  if (inMessage && row?.kind === 'message' && act(event.key, row.message, context)) event.preventDefault();
}

function move(context: Context, log: HTMLElement, from: number, by: 1 | -1): void {
  let to = from + by;
  while (context.rows[to] && context.rows[to]?.kind !== 'message' && context.rows[to]?.kind !== 'pending')
    to += by;
  const row = context.rows[to];
  if (!row) return;
  const focus = () => log.querySelector<HTMLElement>(`.row[data-index="${to}"] .message`);
  const there = focus();
  if (there) {
    there.focus({ preventScroll: true });
    there.scrollIntoView({ block: 'nearest' });
  } else {
    void context.list.toRow(to).then(() => focus()?.focus({ preventScroll: true }));
  }
  context.activate(row.key);
}

/** Whether the key meant something. */
function act(key: string, message: Message, { session, room, loaded }: Context): boolean {
  if (message.deleted_at !== undefined) return false;
  switch (key.toLowerCase()) {
    case 'r':
      ui.setIntent(room.id, { replyTo: message });
      return true;
    case 'e':
      if (!mayEdit(session, message)) return false;
      ui.setIntent(room.id, { editing: message });
      return true;
    case 'c':
      void copyText(message.content);
      return true;
    case 'p':
      if (!mayPin(room)) return false;
      void togglePin(session, loaded, message);
      return true;
    case 'delete':
      if (!mayDelete(session, room, message)) return false;
      confirmDelete(session, message);
      return true;
    default:
      return false;
  }
}
