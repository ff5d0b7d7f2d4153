import { describe, expect, it } from 'vitest';
import type { Message } from '../protocol/Message';
import { type RowOptions, rowsOf } from './rows';
import type { Outgoing } from './timeline';

const NOON = new Date(2026, 10, 24, 12).getTime();
const MINUTE = 60_000;

const message = (no: number, minutes: number, more: Partial<Message> = {}): Message => ({
  room_id: 1,
  message_id: no,
  message_no: no,
  seq: no,
  latest_seq: no,
  user_id: 2,
  username: 'jun',
  display_name: 'Jun Park',
  content: 'text',
  created_at: NOON + minutes * MINUTE,
  ...more,
});
const outgoing = (client_id: string, minutes: number): Outgoing => ({
  client_id,
  room_id: 1,
  content: 'mine',
  created_at: NOON + minutes * MINUTE,
  delivery: { state: 'queued' },
});
const options: RowOptions = { me: 1, unreadAfter: undefined, moreBefore: false, moreAfter: false };
const shape = (...of: Parameters<typeof rowsOf>) =>
  rowsOf(...of).map((row) => ('grouped' in row ? `${row.kind}${row.grouped ? '+' : ''}` : row.kind));

describe('rows', () => {
  it('group a sender for five minutes', () => {
    const talk = [message(1, 0), message(2, 4), message(3, 10), message(4, 11, { user_id: 3 })];
    expect(shape(talk, [], options)).toEqual(['day', 'message', 'message+', 'message', 'message']);
  });

  it('break a group at a day, a quote, a mention of me and a tombstone', () => {
    const reply = { message_id: 1, message_no: 1, user_id: 2, username: 'jun', display_name: 'Jun' };
    expect(shape([message(1, 0), message(2, 1, { reply_to: reply })], [], options)).toEqual([
      'day',
      'message',
      'message',
    ]);
    expect(shape([message(1, 0), message(2, 1, { mentions: [1] })], [], options)).toEqual([
      'day',
      'message',
      'message',
    ]);
    expect(shape([message(1, 0, { deleted_at: 9 }), message(2, 1)], [], options)).toEqual([
      'day',
      'message',
      'message',
    ]);
    expect(shape([message(1, -24 * 60), message(2, 0)], [], options)).toEqual([
      'day',
      'message',
      'day',
      'message',
    ]);
  });

  it('place the first-unread line before the first message of others after it', () => {
    const talk = [message(1, 0), message(2, 1, { user_id: 1 }), message(3, 2)];
    expect(shape(talk, [], { ...options, unreadAfter: 1 })).toEqual([
      'day',
      'message',
      'message',
      'unread',
      'message',
    ]);
    expect(shape(talk, [], { ...options, unreadAfter: 3 })).toEqual(['day', 'message', 'message', 'message']);
  });

  it('put unsent messages last, and leave them out while later ones are not loaded', () => {
    const talk = [message(1, 0, { user_id: 1 })];
    expect(shape(talk, [outgoing('a', 1)], options)).toEqual(['day', 'message', 'pending+']);
    expect(shape(talk, [outgoing('a', 1)], { ...options, moreAfter: true })).toEqual(['day', 'message']);
    expect(shape([], [outgoing('a', 1)], options)).toEqual(['day', 'pending']);
  });

  it('keep the key of a message from waiting to sent', () => {
    const waiting = rowsOf([], [outgoing('a', 0)], options).at(-1);
    const sent = rowsOf([message(1, 0, { client_id: 'a' })], [], options).at(-1);
    expect(sent?.key).toBe(waiting?.key);
  });

  it('have keys of their own', () => {
    const rows = rowsOf([message(1, 0), message(2, -24 * 60 * 2), message(3, 9)], [outgoing('a', 1)], {
      ...options,
      moreBefore: true,
      unreadAfter: 1,
    });
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });
});
