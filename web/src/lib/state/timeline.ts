// A room's loaded messages, and how events and pages change them. Pure: every function returns a
// new state, so that a page that arrives late, twice or out of turn cannot do harm.
//
// Two rules decide. A change applies to a message only if its `seq` is above the message's
// `latest_seq`. A page reflects the room up to its `as_of_seq`; events after that, which may have
// arrived before the page did, are replayed on top of it from `recent`.

import type { Message } from '../protocol/Message';
import type { MessagePage } from '../protocol/MessagePage';
import type { NewMessage } from '../protocol/NewMessage';
import type { PendingMessage } from '../protocol/PendingMessage';
import type { RoomEvent } from '../protocol/RoomEvent';

/** A message of the outbox, and whether it is durable and only waits for its event. */
export interface Outgoing extends PendingMessage {
  sentNo?: number;
}

export interface Timeline {
  /** One unbroken stretch of the room's messages, ascending by `message_no`. */
  messages: readonly Message[];
  /** Messages outside the stretch that are shown: answered ones and pinned ones. */
  others: ReadonlyMap<number, Message>;
  pending: readonly Outgoing[];
  /** Pinned messages by `message_no`, once they were asked for. */
  pinned: ReadonlySet<number> | undefined;
  loaded: boolean;
  moreBefore: boolean;
  moreAfter: boolean;
  /** The last events, oldest first, for pages that are older than they. */
  recent: readonly RoomEvent[];
  /** The newest event that was applied. */
  head: number;
}

/** More events than this are not replayed on a page: it is asked for again. */
export const RECENT_MAX = 512;
/** More messages than this are not kept while reading at the end: the oldest go. */
export const MESSAGES_MAX = 12_000;
const MESSAGES_KEPT = 10_000;
/** More messages outside the stretch than this are not kept: the oldest go. */
const OTHERS_MAX = 400;

export const EMPTY: Timeline = {
  messages: [],
  others: new Map(),
  pending: [],
  pinned: undefined,
  loaded: false,
  moreBefore: false,
  moreAfter: false,
  recent: [],
  head: 0,
};

/** The events are skipped up to `headSeq`: what is loaded may be wrong. Unsent messages stay. */
export function reset(timeline: Timeline, headSeq: number): Timeline {
  return { ...EMPTY, pending: timeline.pending, head: headSeq };
}

/** Takes the next event of the room. A repeated one changes nothing. */
export function applyEvent(timeline: Timeline, event: RoomEvent): Timeline {
  if (event.seq <= timeline.head) return timeline;
  const recent = [...timeline.recent, event].slice(-RECENT_MAX);
  return trim(change({ ...timeline, recent, head: event.seq }, event));
}

/** Whether `page` is so old that the events since then are not at hand any more. */
export function isStale(timeline: Timeline, page: MessagePage): boolean {
  if (page.as_of_seq >= timeline.head) return false;
  const first = timeline.recent[0];
  return first === undefined || first.seq > page.as_of_seq + 1;
}

/**
 * Takes a page. One that touches or overlaps the stretch extends it; any other one replaces it.
 * The caller asks again where `isStale`.
 */
export function applyPage(timeline: Timeline, page: MessagePage): Timeline {
  const first = page.messages[0];
  const last = page.messages.at(-1);
  const oldFirst = timeline.messages[0];
  const oldLast = timeline.messages.at(-1);
  const bounds = { moreBefore: page.more_before, moreAfter: page.more_after };
  let messages = page.messages;

  if (first === undefined || last === undefined) {
    // Nothing lies where the page looked: before the first or after the last.
    if (timeline.loaded && oldFirst !== undefined) return replay(timeline, page);
  } else if (timeline.loaded && oldFirst !== undefined && oldLast !== undefined) {
    const touches = first.message_no <= oldLast.message_no + 1 && last.message_no >= oldFirst.message_no - 1;
    if (touches) {
      messages = merge(timeline.messages, page.messages);
      if (oldFirst.message_no < first.message_no) bounds.moreBefore = timeline.moreBefore;
      if (oldLast.message_no > last.message_no) bounds.moreAfter = timeline.moreAfter;
    }
  }
  return replay({ ...timeline, messages, ...bounds, loaded: true }, page);
}

/** Takes messages that are shown outside the stretch: an answered one, or the pinned ones. */
export function applyOthers(timeline: Timeline, page: MessagePage): Timeline {
  const others = new Map(timeline.others);
  for (const message of page.messages) {
    const known = others.get(message.message_no);
    if (known === undefined || known.latest_seq < message.latest_seq) others.set(message.message_no, message);
  }
  for (const no of others.keys()) {
    if (others.size <= OTHERS_MAX) break;
    if (!timeline.pinned?.has(no)) others.delete(no);
  }
  return replay({ ...timeline, others }, page);
}

/** Takes the list of pinned messages. */
export function applyPinned(timeline: Timeline, page: MessagePage): Timeline {
  const pinned = new Set(page.messages.filter((message) => message.pinned_at).map((m) => m.message_no));
  return applyOthers({ ...timeline, pinned }, page);
}

/** A message waits in the outbox, or how it stands changed. */
export function applyPending(timeline: Timeline, message: PendingMessage): Timeline {
  if (timeline.messages.some((known) => known.client_id === message.client_id)) return timeline;
  const at = timeline.pending.findIndex((known) => known.client_id === message.client_id);
  const pending = at < 0 ? [...timeline.pending, message] : timeline.pending.with(at, message);
  return { ...timeline, pending };
}

/** A message is durable. It stays among the unsent ones until its event brings it. */
export function applySent(timeline: Timeline, clientId: string, messageNo: number): Timeline {
  const shown = timeline.moreAfter || !timeline.loaded || find(timeline.messages, messageNo) >= 0;
  const pending = shown
    ? timeline.pending.filter((message) => message.client_id !== clientId)
    : timeline.pending.map((message) =>
        message.client_id === clientId ? { ...message, sentNo: messageNo } : message,
      );
  return { ...timeline, pending };
}

/** A message was taken out of the outbox. */
export function applyDiscarded(timeline: Timeline, clientId: string): Timeline {
  return { ...timeline, pending: timeline.pending.filter((message) => message.client_id !== clientId) };
}

/** The message, wherever it is known. */
export function lookUp(timeline: Timeline, messageNo: number): Message | undefined {
  return timeline.messages[find(timeline.messages, messageNo)] ?? timeline.others.get(messageNo);
}

/** The position of `messageNo` in `messages`, or -1. */
export function find(messages: readonly Message[], messageNo: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const no = messages[middle]?.message_no ?? 0;
    if (no === messageNo) return middle;
    if (no < messageNo) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function replay(timeline: Timeline, page: MessagePage): Timeline {
  let state: Timeline = timeline;
  for (const event of timeline.recent) if (event.seq > page.as_of_seq) state = change(state, event);
  const shown = new Set(state.messages.map((message) => message.client_id).filter(Boolean));
  const pending = state.pending.filter((message) => !shown.has(message.client_id));
  return { ...state, pending };
}

function merge(known: readonly Message[], page: readonly Message[]): Message[] {
  const byNo = new Map(known.map((message) => [message.message_no, message]));
  for (const message of page) {
    const before = byNo.get(message.message_no);
    if (before === undefined || before.latest_seq <= message.latest_seq)
      byNo.set(message.message_no, message);
  }
  return [...byNo.values()].sort((a, b) => a.message_no - b.message_no);
}

function change(timeline: Timeline, event: RoomEvent): Timeline {
  switch (event.type) {
    case 'new_message':
      return append(timeline, event);
    case 'message_edited':
      // An edit of a message that was deleted since comes without its text; the deletion follows.
      if (event.content === '') return timeline;
      return update(timeline, event, (message) => ({
        ...message,
        content: event.content,
        mentions: event.mentions,
        edited_at: event.edited_at,
      }));
    case 'message_deleted':
      return unpin(
        update(timeline, event, (message) => ({
          ...message,
          content: '',
          mentions: undefined,
          reactions: undefined,
          pinned_at: undefined,
          deleted_at: event.deleted_at,
        })),
        event.message_no,
      );
    case 'reaction_added':
      return update(timeline, event, (message) => react(message, event.emoji, event.user_id, true));
    case 'reaction_removed':
      return update(timeline, event, (message) => react(message, event.emoji, event.user_id, false));
    case 'message_pinned': {
      const pinned = timeline.pinned && new Set(timeline.pinned).add(event.message_no);
      return update({ ...timeline, pinned }, event, (message) => ({
        ...message,
        pinned_at: event.pinned_at,
      }));
    }
    case 'message_unpinned':
      return unpin(
        update(timeline, event, (message) => ({ ...message, pinned_at: undefined })),
        event.message_no,
      );
    default:
      return timeline;
  }
}

function append(timeline: Timeline, event: NewMessage): Timeline {
  const pending = event.client_id
    ? timeline.pending.filter((message) => message.client_id !== event.client_id)
    : timeline.pending;
  if (!timeline.loaded || timeline.moreAfter) return { ...timeline, pending };
  const last = timeline.messages.at(-1);
  if (last !== undefined && event.message_no <= last.message_no) return { ...timeline, pending };
  if (last !== undefined && event.message_no > last.message_no + 1) {
    return { ...timeline, pending, moreAfter: true };
  }
  return { ...timeline, pending, messages: [...timeline.messages, fromEvent(event)] };
}

function fromEvent(event: NewMessage): Message {
  const { room_id, message_id, message_no, seq, user_id, username, display_name, content, created_at } =
    event;
  return {
    room_id,
    message_id,
    message_no,
    seq,
    latest_seq: seq,
    user_id,
    username,
    display_name,
    content,
    created_at,
    client_id: event.client_id,
    reply_to: event.reply_to,
    mentions: event.mentions,
    deleted_at: event.deleted ? created_at : undefined,
  };
}

function update(
  timeline: Timeline,
  event: { seq: number; message_no: number },
  edit: (message: Message) => Message,
): Timeline {
  const newer = (message: Message | undefined): message is Message =>
    message !== undefined && message.latest_seq < event.seq && message.deleted_at === undefined;
  const changed = (message: Message): Message => ({ ...edit(message), latest_seq: event.seq });

  let { messages, others } = timeline;
  const at = find(messages, event.message_no);
  const shown = messages[at];
  if (newer(shown)) messages = messages.with(at, changed(shown));
  const other = others.get(event.message_no);
  if (newer(other)) others = new Map(others).set(event.message_no, changed(other));
  return messages === timeline.messages && others === timeline.others
    ? timeline
    : { ...timeline, messages, others };
}

function react(message: Message, emoji: string, userId: number, on: boolean): Message {
  const known = message.reactions ?? [];
  const at = known.findIndex((reaction) => reaction.emoji === emoji);
  const users = known[at]?.user_ids.filter((id) => id !== userId) ?? [];
  const mine = known[at]?.user_ids.includes(userId) ?? false;
  if (mine === on) return message;
  const reaction = { emoji, user_ids: on ? [...users, userId] : users };
  const reactions = at < 0 ? [...known, reaction] : known.with(at, reaction);
  return { ...message, reactions: reactions.filter((reaction) => reaction.user_ids.length > 0) };
}

function unpin(timeline: Timeline, messageNo: number): Timeline {
  if (!timeline.pinned?.has(messageNo)) return timeline;
  const pinned = new Set(timeline.pinned);
  pinned.delete(messageNo);
  return { ...timeline, pinned };
}

function trim(timeline: Timeline): Timeline {
  if (timeline.messages.length <= MESSAGES_MAX) return timeline;
  return { ...timeline, messages: timeline.messages.slice(-MESSAGES_KEPT), moreBefore: true };
}
