import { describe, expect, it } from 'vitest';
import type { Message } from '../protocol/Message';
import type { MessagePage } from '../protocol/MessagePage';
import type { NewMessage } from '../protocol/NewMessage';
import type { PendingMessage } from '../protocol/PendingMessage';
import type { RoomEvent } from '../protocol/RoomEvent';
import {
  applyDiscarded,
  applyEvent,
  applyOthers,
  applyPage,
  applyPending,
  applyPinned,
  applySent,
  EMPTY,
  isStale,
  lookUp,
  MESSAGES_MAX,
  RECENT_MAX,
  reset,
  type Timeline,
} from './timeline';

const message = (no: number, more: Partial<Message> = {}): Message => ({
  room_id: 1,
  message_id: 1000 + no,
  message_no: no,
  seq: no,
  latest_seq: no,
  user_id: 2,
  username: 'jun',
  display_name: 'Jun Park',
  content: `message ${no}`,
  created_at: no * 1000,
  ...more,
});

const page = (nos: number[], more: Partial<MessagePage> = {}): MessagePage => ({
  messages: nos.map((no) => message(no)),
  more_before: false,
  more_after: false,
  as_of_seq: 100,
  ...more,
});

const said = (seq: number, no: number, more: Partial<NewMessage> = {}): RoomEvent => ({
  type: 'new_message',
  room_id: 1,
  seq,
  message_no: no,
  message_id: 1000 + no,
  user_id: 2,
  username: 'jun',
  display_name: 'Jun Park',
  content: `message ${no}`,
  created_at: no * 1000,
  ...more,
});

const about = (seq: number, no: number) => ({ room_id: 1, seq, message_id: 1000 + no, message_no: no });
const edited = (seq: number, no: number, content: string): RoomEvent => ({
  type: 'message_edited',
  ...about(seq, no),
  user_id: 2,
  content,
  edited_at: seq,
});
const deleted = (seq: number, no: number): RoomEvent => ({
  type: 'message_deleted',
  ...about(seq, no),
  user_id: 2,
  actor_id: 2,
  deleted_at: seq,
});
const reacted = (seq: number, no: number, userId: number, on = true): RoomEvent => ({
  type: on ? 'reaction_added' : 'reaction_removed',
  ...about(seq, no),
  user_id: userId,
  emoji: '👍',
});
const pinned = (seq: number, no: number): RoomEvent => ({
  type: 'message_pinned',
  ...about(seq, no),
  actor_id: 2,
  pinned_at: seq,
});
const pending = (client_id: string): PendingMessage => ({
  client_id,
  room_id: 1,
  content: 'mine',
  created_at: 5,
  delivery: { state: 'sending' },
});

const play = (start: Timeline, ...events: RoomEvent[]) => events.reduce(applyEvent, start);
const nos = (timeline: Timeline) => timeline.messages.map((one) => one.message_no);
const loaded = applyPage(EMPTY, page([1, 2, 3], { as_of_seq: 3 }));

describe('events', () => {
  it('append new messages in order, each once', () => {
    const four = said(4, 4);
    expect(nos(play(loaded, four, four, said(5, 5)))).toEqual([1, 2, 3, 4, 5]);
  });

  it('leave messages alone that the page already showed in a later state', () => {
    const late = applyPage(EMPTY, {
      ...page([]),
      messages: [message(1, { latest_seq: 9, content: 'final' })],
    });
    expect(play(late, edited(7, 1, 'older')).messages[0]?.content).toBe('final');
    expect(play(late, edited(10, 1, 'newer')).messages[0]?.content).toBe('newer');
  });

  it('do not append what lies beyond a gap, and say that more follows', () => {
    const after = play(loaded, said(9, 6));
    expect(nos(after)).toEqual([1, 2, 3]);
    expect(after.moreAfter).toBe(true);
  });

  it('do not append while later messages are not loaded', () => {
    const inside = applyPage(EMPTY, page([1, 2, 3], { as_of_seq: 3, more_after: true }));
    expect(nos(play(inside, said(4, 9)))).toEqual([1, 2, 3]);
  });

  it('turn a deleted message into a tombstone for good', () => {
    const after = play(loaded, reacted(4, 2, 7), pinned(5, 2), deleted(6, 2), edited(7, 2, 'back'));
    expect(after.messages[1]).toMatchObject({
      content: '',
      deleted_at: 6,
      reactions: undefined,
      pinned_at: undefined,
    });
  });

  it('keep the text when an edit comes without it, since a deletion follows', () => {
    expect(play(loaded, edited(4, 2, '')).messages[1]?.content).toBe('message 2');
  });

  it('count each reaction once, and drop an emoji that nobody has left', () => {
    const two = play(loaded, reacted(4, 1, 7), reacted(5, 1, 7), reacted(6, 1, 8));
    expect(two.messages[0]?.reactions).toEqual([{ emoji: '👍', user_ids: [7, 8] }]);
    const none = play(two, reacted(7, 1, 7, false), reacted(8, 1, 8, false));
    expect(none.messages[0]?.reactions).toEqual([]);
  });

  it('keep only so many messages at the end', () => {
    const many = applyPage(EMPTY, page(Array.from({ length: MESSAGES_MAX }, (_, at) => at + 1)));
    const after = play(many, said(MESSAGES_MAX + 101, MESSAGES_MAX + 1));
    expect(after.messages.length).toBeLessThan(MESSAGES_MAX);
    expect(after.messages.at(-1)?.message_no).toBe(MESSAGES_MAX + 1);
    expect(after.moreBefore).toBe(true);
  });
});

describe('pages', () => {
  it('extend the stretch on both sides', () => {
    const middle = applyPage(EMPTY, page([5, 6], { more_before: true, more_after: true }));
    const before = applyPage(middle, page([3, 4], { more_before: true, more_after: true }));
    const both = applyPage(before, page([7, 8], { more_before: true, more_after: false }));
    expect(nos(both)).toEqual([3, 4, 5, 6, 7, 8]);
    expect([both.moreBefore, both.moreAfter]).toEqual([true, false]);
  });

  it('change nothing when they come twice', () => {
    expect(nos(applyPage(loaded, page([1, 2, 3])))).toEqual([1, 2, 3]);
  });

  it('replace the stretch when they do not touch it', () => {
    expect(nos(applyPage(loaded, page([50, 51])))).toEqual([50, 51]);
  });

  it('never take a message back to an earlier state', () => {
    const newer = play(loaded, edited(9, 2, 'new'));
    expect(applyPage(newer, page([2, 3], { as_of_seq: 9 })).messages[1]?.content).toBe('new');
  });

  it('that are older than the events get those events on top', () => {
    const early = play(EMPTY, said(4, 4), edited(5, 3, 'edited'), said(6, 5));
    const after = applyPage(early, page([1, 2, 3], { as_of_seq: 3 }));
    expect(nos(after)).toEqual([1, 2, 3, 4, 5]);
    expect(after.messages[2]?.content).toBe('edited');
  });

  it('are stale when the events since are not at hand', () => {
    const busy = play(EMPTY, ...Array.from({ length: RECENT_MAX + 5 }, (_, at) => said(at + 1, at + 1)));
    expect(isStale(busy, page([1], { as_of_seq: 2 }))).toBe(true);
    expect(isStale(busy, page([1], { as_of_seq: 5 }))).toBe(false);
    expect(isStale(busy, page([1], { as_of_seq: RECENT_MAX + 5 }))).toBe(false);
    expect(isStale(reset(busy, 900), page([1], { as_of_seq: 899 }))).toBe(true);
  });

  it('do not hide events that come after them with a lower seq', () => {
    const two = applyPage(applyPage(EMPTY, page([5, 6], { as_of_seq: 6 })), page([3, 4], { as_of_seq: 9 }));
    expect(play(two, edited(7, 6, 'late')).messages.at(-1)?.content).toBe('late');
  });

  it('that are empty leave the stretch as it is', () => {
    expect(nos(applyPage(loaded, page([])))).toEqual([1, 2, 3]);
  });
});

describe('unsent messages', () => {
  it('give way to the message when its event comes before the acknowledgement', () => {
    const sending = applyPending(loaded, pending('a'));
    const arrived = play(sending, said(4, 4, { client_id: 'a' }));
    expect(arrived.pending).toEqual([]);
    expect(applySent(arrived, 'a', 4).pending).toEqual([]);
    expect(applyPending(arrived, pending('a')).pending).toEqual([]);
  });

  it('stay, as sent, from the acknowledgement until the event', () => {
    const sent = applySent(applyPending(loaded, pending('a')), 'a', 4);
    expect(sent.pending.map((one) => one.sentNo)).toEqual([4]);
    const arrived = play(sent, said(4, 4, { client_id: 'a' }));
    expect([arrived.pending.length, nos(arrived)]).toEqual([0, [1, 2, 3, 4]]);
  });

  it('are updated in place and taken out when discarded', () => {
    const failed = {
      ...pending('a'),
      delivery: { state: 'failed' as const, code: 'forbidden' as const, message: 'no' },
    };
    const both = applyPending(applyPending(applyPending(loaded, pending('a')), pending('b')), failed);
    expect(both.pending.map((one) => one.delivery.state)).toEqual(['failed', 'sending']);
    expect(applyDiscarded(both, 'a').pending.map((one) => one.client_id)).toEqual(['b']);
  });

  it('survive a reset, and go when a page brings them', () => {
    const after = reset(applyPending(loaded, pending('a')), 50);
    expect([after.messages.length, after.pending.length]).toEqual([0, 1]);
    const brought = applyPage(after, { ...page([]), messages: [message(4, { client_id: 'a' })] });
    expect(brought.pending).toEqual([]);
  });
});

describe('messages outside the stretch', () => {
  it('follow the events like those inside', () => {
    const quoted = applyOthers(loaded, page([90], { as_of_seq: 3 }));
    expect(lookUp(play(quoted, edited(101, 90, 'changed')), 90)?.content).toBe('changed');
    expect(lookUp(play(quoted, deleted(102, 90)), 90)?.deleted_at).toBe(102);
  });

  it('are pinned and unpinned by events', () => {
    const list = applyPinned(loaded, { ...page([]), messages: [message(2, { pinned_at: 3 })], as_of_seq: 3 });
    const more = play(list, pinned(4, 3));
    expect([...(more.pinned ?? [])]).toEqual([2, 3]);
    const unpinned = play(more, { type: 'message_unpinned', ...about(5, 2), actor_id: 2 });
    expect([...(unpinned.pinned ?? [])]).toEqual([3]);
    expect([...(play(unpinned, deleted(6, 3)).pinned ?? [])]).toEqual([]);
  });
});
