// What the page may ask of the client core. The core itself (protocol::client, in WebAssembly)
// runs in a worker; the page holds no ordering, retry or connection logic.

import type { ClientEvent } from '../protocol/ClientEvent';
import type { Member } from '../protocol/Member';
import type { MessagePage } from '../protocol/MessagePage';
import type { Role } from '../protocol/Role';
import type { RoomKind } from '../protocol/RoomKind';
import type { RoomListing } from '../protocol/RoomListing';

/** What `/api/login` and `/api/register` answer, less the user. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** Seconds until the access token ends. */
  expires_in: number;
}

export interface HistoryQuery {
  before?: number;
  after?: number;
  around?: number;
  limit?: number;
  pinned?: boolean;
}

/** A request or operation that was refused. `code` is one of protocol's ErrorCode. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** A tab's handle on the client core, which all tabs of the browser share. */
export interface ChatClient {
  /** Starts with new tokens, or with those kept from last time; false where there are none. */
  start(tokens?: Tokens): Promise<boolean>;
  /** Ends the login on the hub and forgets everything kept in this browser. */
  signOut(): Promise<void>;
  /** Calls `listener` with everything that happens, the present state first. Returns its end. */
  subscribe(listener: (event: ClientEvent) => void): () => void;

  /** Puts a message in the outbox and returns its client_id; its fate comes as events. */
  sendMessage(roomId: number, content: string, replyTo?: number): string;
  /** Sends a failed message again, under the same client_id. */
  retry(clientId: string): void;
  /** Takes a queued or failed message out of the outbox. */
  discard(clientId: string): void;

  editMessage(roomId: number, messageId: number, content: string): Promise<void>;
  deleteMessage(roomId: number, messageId: number): Promise<void>;
  addReaction(roomId: number, messageId: number, emoji: string): Promise<void>;
  removeReaction(roomId: number, messageId: number, emoji: string): Promise<void>;
  pinMessage(roomId: number, messageId: number): Promise<void>;
  unpinMessage(roomId: number, messageId: number): Promise<void>;

  /** Makes a room and resolves with its id. */
  createRoom(name: string, kind: RoomKind, topic: string): Promise<number>;
  updateRoom(roomId: number, change: { name?: string; topic?: string }): Promise<void>;
  joinRoom(roomId: number): Promise<void>;
  leaveRoom(roomId: number): Promise<void>;
  invite(roomId: number, username: string): Promise<void>;
  kick(roomId: number, userId: number): Promise<void>;
  ban(roomId: number, userId: number): Promise<void>;
  unban(roomId: number, userId: number): Promise<void>;
  setRole(roomId: number, userId: number, role: Role): Promise<void>;

  history(roomId: number, query: HistoryQuery): Promise<MessagePage>;
  members(roomId: number, after?: string): Promise<{ members: Member[]; more: boolean }>;
  listRooms(query?: string, after?: string): Promise<{ rooms: RoomListing[]; more: boolean }>;

  markRead(roomId: number, messageNo: number): void;
  typing(roomId: number): void;
  /** Tells who of a room is online, now and on every change, until `unwatchPresence`. */
  watchPresence(roomId: number): void;
  unwatchPresence(roomId: number): void;
  /** Tries to connect now instead of waiting for the next attempt. */
  connectNow(): void;
}
