// Turns a room's messages into the rows of the list: day separators, the first-unread line and
// messages with what their surroundings decide (whether they continue a group). Pure.

import type { Message } from '../protocol/Message';
import type { Outgoing } from './timeline';

export type Row =
  | { kind: 'more'; key: string }
  | { kind: 'day'; key: string; at: number }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; grouped: boolean; at: number }
  | { kind: 'pending'; key: string; message: Outgoing; grouped: boolean; at: number };

export interface RowOptions {
  me: number;
  /** The first-unread line stands after this message. */
  unreadAfter: number | undefined;
  moreBefore: boolean;
  moreAfter: boolean;
}

/** Messages of one sender that are further apart than this are not one group. */
const GROUP_MS = 5 * 60_000;

export function rowsOf(
  messages: readonly Message[],
  pending: readonly Outgoing[],
  options: RowOptions,
): Row[] {
  const rows: Row[] = [];
  let day = '';
  let before: Message | undefined;
  let lineDue = options.unreadAfter !== undefined;

  if (options.moreBefore) rows.push({ kind: 'more', key: 'more' });
  for (const message of messages) {
    const date = dayOf(message.created_at);
    let fresh = false;
    if (date !== day) {
      day = date;
      fresh = true;
      rows.push({ kind: 'day', key: `day ${message.message_no}`, at: message.created_at });
    }
    if (lineDue && message.message_no > (options.unreadAfter ?? 0) && message.user_id !== options.me) {
      lineDue = false;
      fresh = true;
      rows.push({ kind: 'unread', key: 'unread' });
    }
    const grouped = !fresh && before !== undefined && continues(before, message, options.me);
    // The key of a message that was sent from here stays what it was while it waited.
    const key = keyOf(message);
    rows.push({ kind: 'message', key, message, grouped, at: message.created_at });
    before = message;
  }
  if (!options.moreAfter) pushPending(rows, pending, day, before, options.me);
  return rows;
}

/** The key of the row that shows a message. */
export function keyOf(message: Pick<Message, 'message_no' | 'client_id'>): string {
  return message.client_id ? `c ${message.client_id}` : `m ${message.message_no}`;
}

function pushPending(
  rows: Row[],
  pending: readonly Outgoing[],
  lastDay: string,
  last: Message | undefined,
  me: number,
) {
  let day = lastDay;
  let before: { user_id: number; created_at: number; deleted_at?: number } | undefined = last;
  for (const message of pending) {
    const date = dayOf(message.created_at);
    const fresh = date !== day && message.created_at >= (before?.created_at ?? 0);
    if (fresh) {
      day = date;
      rows.push({ kind: 'day', key: `day ${message.client_id}`, at: message.created_at });
    }
    const near = before !== undefined && message.created_at - before.created_at < GROUP_MS;
    const grouped = !fresh && near && before?.user_id === me && message.reply_to === undefined;
    rows.push({ kind: 'pending', key: `c ${message.client_id}`, message, grouped, at: message.created_at });
    before = { user_id: me, created_at: message.created_at };
  }
}

function continues(before: Message, message: Message, me: number): boolean {
  return (
    before.user_id === message.user_id &&
    message.created_at - before.created_at < GROUP_MS &&
    message.reply_to === undefined &&
    !mentionsMe(message, me) &&
    before.deleted_at === undefined &&
    message.deleted_at === undefined
  );
}

export function mentionsMe(message: Message, me: number): boolean {
  return message.user_id !== me && (message.mentions?.includes(me) ?? false);
}

/** The day by this browser's calendar. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}
