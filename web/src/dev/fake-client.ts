// A client without a hub, for working on the page and for its tests: it keeps rooms in memory and
// does at once what it is asked. Never part of the product's build.

import type { ChatClient, HistoryQuery } from '../lib/client/interface';
import { RequestError } from '../lib/client/interface';
import type { ClientEvent } from '../lib/protocol/ClientEvent';
import type { Connection } from '../lib/protocol/Connection';
import type { Member } from '../lib/protocol/Member';
import type { Message } from '../lib/protocol/Message';
import type { MessagePage } from '../lib/protocol/MessagePage';
import type { PendingMessage } from '../lib/protocol/PendingMessage';
import type { Role } from '../lib/protocol/Role';
import type { Room } from '../lib/protocol/Room';
import type { RoomEvent } from '../lib/protocol/RoomEvent';
import type { RoomKind } from '../lib/protocol/RoomKind';
import { pageOf } from './pages';
import { ME, ONLINE, OTHER_ROOMS, PEOPLE, ROOMS } from './people';
import { delivery, longTalk, said } from './script';
import { unsent } from './unsent';

export type Scenario =
  | 'normal'
  | 'new'
  | 'loading'
  | 'error'
  | 'offline'
  | 'connecting'
  | 'many'
  | 'signedout';

type Sized<T> = T extends { seq: number } ? Omit<T, 'seq'> : never;

const LIMITS = {
  content_bytes_max: 16_384,
  frame_bytes_max: 65_536,
  page_max: 100,
  resume_events_max: 10_000,
};
const NEVER = new Promise<never>(() => undefined);

export class FakeClient implements ChatClient {
  readonly calls: unknown[][] = [];
  #listeners = new Set<(event: ClientEvent) => void>();
  #rooms = new Map<number, Room>();
  #messages = new Map<number, Message[]>();
  #members = new Map<number, Member[]>();
  #pending = new Map<string, PendingMessage>();
  #connection: Connection = { state: 'online', node: 'hub-1' };
  /** Set to fail what is asked next. */
  refuse: RequestError | undefined;
  /** Messages a page of history has; a test may ask for all at once. */
  pageMax = 100;

  constructor(readonly scenario: Scenario) {
    if (scenario === 'offline') this.#connection = { state: 'offline', attempt: 3, retry_in_ms: 8000 };
    if (scenario === 'connecting') this.#connection = { state: 'connecting', attempt: 0 };
    if (scenario === 'new') return;
    for (const room of ROOMS) {
      const talk = this.#talk(room);
      const last = talk.length;
      this.#messages.set(room.id, talk);
      this.#members.set(
        room.id,
        PEOPLE.map((one) => (one.user_id === ME ? { ...one, role: room.role } : one)),
      );
      const unread = room.id === 1 && scenario !== 'many' ? 3 : room.unread_count;
      const last_read_no = room.id === 1 && scenario !== 'many' ? 4 : last - unread;
      const mention_count = room.id === 1 && scenario !== 'many' ? 1 : room.mention_count;
      this.#rooms.set(room.id, {
        ...room,
        head_seq: last,
        last_message_no: last,
        last_read_no,
        unread_count: unread,
        mention_count,
      });
    }
  }

  #talk(room: Room): Message[] {
    if (room.id === 1) return this.scenario === 'many' ? longTalk(1, 10_000) : delivery();
    if (room.id === 5) return [];
    return longTalk(room.id, 40);
  }

  async start(tokens?: unknown): Promise<boolean> {
    if (this.scenario === 'signedout' && tokens === undefined) return false;
    this.#emit({ type: 'connection', connection: this.#connection });
    if (this.scenario !== 'connecting') this.#ready();
    if (this.scenario === 'normal' || this.scenario === 'offline') this.#unsent();
    return true;
  }

  #unsent(): void {
    for (const message of unsent(this.scenario === 'offline')) {
      this.#pending.set(message.client_id, message);
      this.#emit({ type: 'message_pending', message });
    }
    if (this.scenario === 'normal') this.typingIn(1, [4, 5]);
  }

  #ready(): void {
    const user = { id: ME, username: 'mira', display_name: 'Mira Okafor' };
    this.#emit({ type: 'ready', user, rooms: [...this.#rooms.values()], limits: LIMITS });
  }

  async signOut(): Promise<void> {
    this.calls.push(['signOut']);
  }

  subscribe(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // What a test does to the page.

  setConnection(connection: Connection): void {
    this.#connection = connection;
    this.#emit({ type: 'connection', connection });
  }

  typingIn(roomId: number, userIds: number[]): void {
    const users = userIds.map((user_id) => ({
      user_id,
      display_name: PEOPLE.find((one) => one.user_id === user_id)?.display_name ?? '',
    }));
    this.#emit({ type: 'typing', room_id: roomId, users });
  }

  onlineIn(roomId: number, online: number[], more = false): void {
    this.#emit({ type: 'presence', room_id: roomId, online, more });
  }

  /** Someone says something. */
  receive(roomId: number, userId: number, content: string, more: Partial<Message> = {}): number {
    const no = (this.#rooms.get(roomId)?.last_message_no ?? 0) + 1;
    const message = said(roomId, no, userId, Date.now(), content, more);
    const { username, display_name, message_no, message_id, created_at } = message;
    this.#event(roomId, {
      type: 'new_message',
      room_id: roomId,
      user_id: userId,
      username,
      display_name,
      message_no,
      message_id,
      created_at,
      content,
      client_id: more.client_id,
      reply_to: more.reply_to,
      mentions: more.mentions,
    });
    return no;
  }

  removeMe(roomId: number): void {
    this.#rooms.delete(roomId);
    this.#emit({ type: 'room_removed', room_id: roomId });
  }

  resetRoom(roomId: number): void {
    this.#emit({ type: 'room_reset', room_id: roomId, head_seq: this.#rooms.get(roomId)?.head_seq ?? 0 });
  }

  #emit(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #event(roomId: number, event: Sized<RoomEvent>): void {
    const room = this.#rooms.get(roomId);
    if (!room) return;
    const seq = room.head_seq + 1;
    const numbered = { ...event, seq } as RoomEvent;
    const next = { ...room, head_seq: seq };
    if (numbered.type === 'new_message') {
      const { user_id, message_no } = numbered;
      next.last_message_no = message_no;
      if (user_id === ME) next.last_read_no = message_no;
      next.unread_count = user_id === ME ? 0 : room.unread_count + 1;
      if (numbered.mentions?.includes(ME)) next.mention_count += 1;
      const { seq: _, type: __, deleted: ___, ...rest } = numbered;
      this.#messages.get(roomId)?.push({ ...rest, seq, latest_seq: seq });
    }
    this.#rooms.set(roomId, next);
    this.#emit({ type: 'event', event: numbered });
    this.#emit({ type: 'room_changed', room: next });
  }

  // What the page asks.

  sendMessage(roomId: number, content: string, replyTo?: number): string {
    const client_id = crypto.randomUUID();
    this.calls.push(['sendMessage', roomId, content, replyTo]);
    const message: PendingMessage = {
      client_id,
      room_id: roomId,
      content,
      reply_to: replyTo,
      created_at: Date.now(),
      delivery: { state: this.#connection.state === 'online' ? 'sending' : 'queued' },
    };
    this.#pending.set(client_id, message);
    this.#emit({ type: 'message_pending', message });
    if (this.#connection.state === 'online') setTimeout(() => this.#deliver(client_id), 60);
    return client_id;
  }

  #deliver(clientId: string): void {
    const message = this.#pending.get(clientId);
    if (!message) return;
    this.#pending.delete(clientId);
    const answered = this.#messages.get(message.room_id)?.find((one) => one.message_id === message.reply_to);
    const no = (this.#rooms.get(message.room_id)?.last_message_no ?? 0) + 1;
    this.#emit({
      type: 'message_sent',
      client_id: clientId,
      room_id: message.room_id,
      message_id: message.room_id * 1000 + no,
      message_no: no,
      seq: no,
      created_at: Date.now(),
    });
    this.receive(message.room_id, ME, message.content, { client_id: clientId, reply_to: answered });
  }

  retry(clientId: string): void {
    this.calls.push(['retry', clientId]);
    this.#deliver(clientId);
  }

  discard(clientId: string): void {
    this.calls.push(['discard', clientId]);
    const room_id = this.#pending.get(clientId)?.room_id ?? 0;
    this.#pending.delete(clientId);
    this.#emit({ type: 'message_discarded', client_id: clientId, room_id });
  }

  #change(roomId: number, messageId: number, change: (message: Message) => Message): Message {
    if (this.refuse) throw this.refuse;
    const messages = this.#messages.get(roomId) ?? [];
    const at = messages.findIndex((one) => one.message_id === messageId);
    const message = messages[at];
    if (!message) throw new RequestError('not_found', 'no such message');
    const changed = { ...change(message), latest_seq: (this.#rooms.get(roomId)?.head_seq ?? 0) + 1 };
    messages[at] = changed;
    return changed;
  }

  async editMessage(roomId: number, messageId: number, content: string): Promise<void> {
    this.calls.push(['editMessage', roomId, messageId, content]);
    const edited_at = Date.now();
    const { message_no } = this.#change(roomId, messageId, (one) => ({ ...one, content, edited_at }));
    this.#event(roomId, {
      type: 'message_edited',
      room_id: roomId,
      message_id: messageId,
      message_no,
      user_id: ME,
      content,
      edited_at,
    });
  }

  async deleteMessage(roomId: number, messageId: number): Promise<void> {
    this.calls.push(['deleteMessage', roomId, messageId]);
    const deleted_at = Date.now();
    const { message_no, user_id } = this.#change(roomId, messageId, (one) => ({
      ...one,
      content: '',
      deleted_at,
    }));
    this.#event(roomId, {
      type: 'message_deleted',
      room_id: roomId,
      message_id: messageId,
      message_no,
      user_id,
      actor_id: ME,
      deleted_at,
    });
  }

  async addReaction(roomId: number, messageId: number, emoji: string): Promise<void> {
    this.calls.push(['addReaction', roomId, messageId, emoji]);
    const { message_no } = this.#change(roomId, messageId, (one) => one);
    this.#event(roomId, {
      type: 'reaction_added',
      room_id: roomId,
      message_id: messageId,
      message_no,
      user_id: ME,
      emoji,
    });
  }

  async removeReaction(roomId: number, messageId: number, emoji: string): Promise<void> {
    this.calls.push(['removeReaction', roomId, messageId, emoji]);
    const { message_no } = this.#change(roomId, messageId, (one) => one);
    this.#event(roomId, {
      type: 'reaction_removed',
      room_id: roomId,
      message_id: messageId,
      message_no,
      user_id: ME,
      emoji,
    });
  }

  async pinMessage(roomId: number, messageId: number): Promise<void> {
    const pinned_at = Date.now();
    const { message_no } = this.#change(roomId, messageId, (one) => ({ ...one, pinned_at }));
    this.#event(roomId, {
      type: 'message_pinned',
      room_id: roomId,
      message_id: messageId,
      message_no,
      actor_id: ME,
      pinned_at,
    });
  }

  async unpinMessage(roomId: number, messageId: number): Promise<void> {
    const { message_no } = this.#change(roomId, messageId, (one) => ({ ...one, pinned_at: undefined }));
    this.#event(roomId, {
      type: 'message_unpinned',
      room_id: roomId,
      message_id: messageId,
      message_no,
      actor_id: ME,
    });
  }

  async createRoom(name: string, kind: RoomKind, topic: string): Promise<number> {
    this.calls.push(['createRoom', name, kind, topic]);
    if ([...this.#rooms.values()].some((room) => room.name === name))
      throw new RequestError('conflict', 'name is taken', 'name');
    if (!/^[\p{L}\p{N}_-]+$/u.test(name))
      throw new RequestError('invalid_field', "name may have letters, digits, '-' and '_' only", 'name');
    const id = 100 + this.#rooms.size;
    const room: Room = {
      id,
      name,
      kind,
      topic,
      role: 'owner',
      head_seq: 1,
      last_message_no: 0,
      last_read_no: 0,
      joined_seq: 1,
      unread_count: 0,
      mention_count: 0,
      member_count: 1,
      created_at: Date.now(),
    };
    this.#add(
      room,
      PEOPLE.filter((one) => one.user_id === ME),
    );
    return id;
  }

  #add(room: Room, members: Member[]): void {
    this.#rooms.set(room.id, room);
    this.#messages.set(room.id, []);
    this.#members.set(room.id, members);
    this.#emit({ type: 'room_changed', room });
  }

  async updateRoom(roomId: number, change: { name?: string; topic?: string }): Promise<void> {
    const room = this.#rooms.get(roomId);
    if (!room) throw new RequestError('not_member', 'you are not a member');
    this.#rooms.set(roomId, { ...room, ...change });
    this.#emit({ type: 'room_changed', room: { ...room, ...change } });
  }

  async joinRoom(roomId: number): Promise<void> {
    const room = OTHER_ROOMS.find((one) => one.id === roomId);
    if (room) this.#add({ ...room }, PEOPLE);
  }

  async leaveRoom(roomId: number): Promise<void> {
    this.removeMe(roomId);
  }

  async invite(roomId: number, username: string): Promise<void> {
    if (!/^[a-z]/.test(username))
      throw new RequestError('not_found', `no one here is called ${username}`, 'username');
    this.#event(roomId, {
      type: 'member_joined',
      room_id: roomId,
      user_id: 77,
      username,
      display_name: username,
      role: 'member',
      actor_id: ME,
      created_at: Date.now(),
    });
  }

  async kick(roomId: number, userId: number): Promise<void> {
    this.#left(roomId, userId, 'kicked');
  }

  async ban(roomId: number, userId: number): Promise<void> {
    this.#left(roomId, userId, 'banned');
  }

  #left(roomId: number, userId: number, reason: 'kicked' | 'banned'): void {
    const member = PEOPLE.find((one) => one.user_id === userId);
    if (member)
      this.#event(roomId, {
        type: 'member_left',
        room_id: roomId,
        user_id: userId,
        username: member.username,
        display_name: member.display_name,
        reason,
        actor_id: ME,
        created_at: Date.now(),
      });
  }

  async unban(roomId: number, userId: number): Promise<void> {
    this.calls.push(['unban', roomId, userId]);
  }

  async setRole(roomId: number, userId: number, role: Role): Promise<void> {
    this.#event(roomId, { type: 'role_changed', room_id: roomId, user_id: userId, role, actor_id: ME });
  }

  async history(roomId: number, query: HistoryQuery): Promise<MessagePage> {
    if (this.scenario === 'loading') return NEVER;
    if (this.scenario === 'error') throw new RequestError('unavailable', 'the store did not answer');
    const all = this.#messages.get(roomId) ?? [];
    const as_of_seq = this.#rooms.get(roomId)?.head_seq ?? 0;
    const limit = this.pageMax > 100 ? this.pageMax : Math.min(query.limit ?? 50, 100);
    return pageOf(all, query, limit, as_of_seq);
  }

  async members(roomId: number): Promise<{ members: Member[]; more: boolean }> {
    return { members: this.#members.get(roomId) ?? [], more: false };
  }

  async listRooms(query = ''): Promise<{ rooms: (Room & { is_member: boolean })[]; more: boolean }> {
    const all = [...this.#rooms.values(), ...OTHER_ROOMS.filter((room) => !this.#rooms.has(room.id))];
    const rooms = all
      .filter((room) => room.kind === 'public' && room.name.includes(query))
      .toSorted((a, b) => a.name.localeCompare(b.name));
    return { rooms: rooms.map((room) => ({ ...room, is_member: this.#rooms.has(room.id) })), more: false };
  }

  markRead(roomId: number, messageNo: number): void {
    this.calls.push(['markRead', roomId, messageNo]);
    const room = this.#rooms.get(roomId);
    if (!room || messageNo <= room.last_read_no) return;
    const unread = (this.#messages.get(roomId) ?? []).filter(
      (one) => one.message_no > messageNo && one.user_id !== ME,
    );
    const mentions = unread.filter((one) => one.mentions?.includes(ME));
    const next = {
      ...room,
      last_read_no: messageNo,
      unread_count: unread.length,
      mention_count: mentions.length,
    };
    this.#rooms.set(roomId, next);
    this.#emit({ type: 'room_changed', room: next });
  }

  typing(roomId: number): void {
    this.calls.push(['typing', roomId]);
  }

  watchPresence(roomId: number): void {
    this.calls.push(['watchPresence', roomId]);
    this.onlineIn(roomId, ONLINE);
  }

  unwatchPresence(roomId: number): void {
    this.calls.push(['unwatchPresence', roomId]);
  }

  connectNow(): void {
    this.calls.push(['connectNow']);
    this.setConnection({ state: 'online', node: 'hub-2' });
    this.#ready();
  }
}
