// What a tab and the worker say to each other: two closed unions. Both sides come from one build,
// and a new build has a new worker URL, so the two never differ in version.

import type { HistoryQuery, Tokens } from '../lib/client/interface';
import type { ClientEvent } from '../lib/protocol/ClientEvent';
import type { Member } from '../lib/protocol/Member';
import type { MessagePage } from '../lib/protocol/MessagePage';
import type { Role } from '../lib/protocol/Role';
import type { RoomKind } from '../lib/protocol/RoomKind';
import type { RoomListing } from '../lib/protocol/RoomListing';

/** How often a tab pings the worker. A hidden tab's timers run once a minute at worst. */
export const PING_MS = 20_000;
/** How long a tab waits for a `pong` before it takes the worker for dead. */
export const PONG_TIMEOUT_MS = 15_000;
/** How long a tab may be silent before the worker lets go of its port. */
export const SILENCE_MAX_MS = 300_000;

/** A durable operation other than a send. It is repeated under the same `client_id`. */
export type Operation =
  | { op: 'edit_message'; room_id: number; message_id: number; content: string }
  | { op: 'delete_message'; room_id: number; message_id: number }
  | { op: 'add_reaction'; room_id: number; message_id: number; emoji: string }
  | { op: 'remove_reaction'; room_id: number; message_id: number; emoji: string }
  | { op: 'pin_message'; room_id: number; message_id: number }
  | { op: 'unpin_message'; room_id: number; message_id: number }
  | { op: 'create_room'; name: string; kind: RoomKind; topic: string }
  | { op: 'update_room'; room_id: number; name?: string; topic?: string }
  | { op: 'join_room'; room_id: number }
  | { op: 'leave_room'; room_id: number }
  | { op: 'invite'; room_id: number; username: string }
  | { op: 'kick'; room_id: number; user_id: number }
  | { op: 'ban'; room_id: number; user_id: number }
  | { op: 'unban'; room_id: number; user_id: number }
  | { op: 'set_role'; room_id: number; user_id: number; role: Role };

/** A request for a page. */
export type Query =
  | { query: 'history'; room_id: number; range: HistoryQuery }
  | { query: 'members'; room_id: number; after?: string }
  | { query: 'rooms'; name?: string; after?: string };

/** What needs no answer of its own. */
export type Signal =
  | { signal: 'send_message'; client_id: string; room_id: number; content: string; reply_to?: number }
  | { signal: 'retry'; client_id: string }
  | { signal: 'discard'; client_id: string }
  | { signal: 'mark_read'; room_id: number; message_no: number }
  | { signal: 'typing'; room_id: number }
  /** The tab shows who of a room is online, until it says otherwise or is gone. */
  | { signal: 'watch_presence'; room_id: number }
  | { signal: 'unwatch_presence'; room_id: number }
  /** Look whether the connection lives, or try to connect now. */
  | { signal: 'kick'; why: 'asked' | 'online' | 'visible' };

/** Every call is answered by one `result` or `failure` with its number. */
export type Call =
  /** `resume`: the tab outlives its worker and continues from what that had told it. */
  | { call: 'start'; resume: boolean; tokens?: Tokens }
  | { call: 'sign_out' }
  | { call: 'operation'; client_id: string; operation: Operation }
  | { call: 'query'; query: Query };

/** What a call resolves with. */
export type Answer =
  | { answer: 'started'; signed_in: boolean }
  | { answer: 'signed_out' }
  /** An operation is durable; `room_id` is the room that it made or changed. */
  | { answer: 'done'; room_id: number }
  | { answer: 'history'; page: MessagePage }
  | { answer: 'members'; members: Member[]; more: boolean }
  | { answer: 'rooms'; rooms: RoomListing[]; more: boolean };

export type ToWorker =
  /** The first word of a port. `tab` stays the same over reloads of a tab. */
  | { type: 'attach'; tab: string }
  /** Asks for the present state: answered by `snapshot`, before any later event. */
  | { type: 'snapshot'; listener: number }
  | { type: 'call'; id: number; call: Call }
  | { type: 'signal'; signal: Signal }
  | { type: 'ping' }
  /** The tab goes away. */
  | { type: 'bye' };

export type FromWorker =
  | { type: 'event'; event: ClientEvent }
  /**
   * `continues`: the events go on from where the worker that ended had been; otherwise a tab that knows
   * more than nothing may have missed some.
   */
  | { type: 'snapshot'; listener: number; events: ClientEvent[]; continues: boolean }
  | { type: 'result'; id: number; answer: Answer }
  | { type: 'failure'; id: number; code: string; message: string; field?: string }
  | { type: 'pong' }
  /** The worker does not know this port (any more): attach again. */
  | { type: 'gone' }
  /** Another client core runs from now on, which knows nothing of calls made before. */
  | { type: 'restarted' }
  /** The worker ends itself after a defect: make a new one. */
  | { type: 'crashed'; message: string };
