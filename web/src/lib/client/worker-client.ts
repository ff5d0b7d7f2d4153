// The page's ChatClient over the worker. It holds what the worker has not answered or kept yet, and
// says it again, under the same names, to a worker that takes the place of one that ended.

import type { Answer, Call, Operation, Query, Signal } from '../../worker/messages';
import type { ClientEvent } from '../protocol/ClientEvent';
import type { Member } from '../protocol/Member';
import type { MessagePage } from '../protocol/MessagePage';
import type { Role } from '../protocol/Role';
import type { RoomKind } from '../protocol/RoomKind';
import type { RoomListing } from '../protocol/RoomListing';
import { type ChatClient, type HistoryQuery, RequestError, type Tokens } from './interface';
import { type Told, uuid, WorkerLink } from './worker-link';

/** How long a call waits for the worker. The core gives up much earlier; this is for its absence. */
const CALL_TIMEOUT_MS = 60_000;
/** Most messages that wait for the worker to keep them. Beyond it, sending throws. */
const UNKEPT_MAX = 1_000;

interface Waiting {
  call: Call;
  resolve(answer: Answer): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

interface Listener {
  notify(event: ClientEvent): void;
  /** It has been told the present state, and hears what follows. */
  live: boolean;
  /** What it knows of the rooms from before: nothing, all that was told, or perhaps less than that. */
  knows: 'nothing' | 'all' | 'part';
}

export class WorkerClient implements ChatClient {
  readonly #link: WorkerLink;
  readonly #calls = new Map<number, Waiting>();
  readonly #listeners = new Map<number, Listener>();
  /** Messages that the worker has not put in the outbox yet, by client_id. */
  readonly #unkept = new Map<string, Signal>();
  /** Rooms whose presence is shown, and in how many places. */
  readonly #watched = new Map<number, number>();
  #lastId = 0;
  #started = false;

  constructor() {
    this.#link = new WorkerLink(
      (message) => this.#receive(message),
      (missed) => this.#sayEverything(missed),
    );
    this.#link.open();
    addEventListener('online', () => this.#signal({ signal: 'kick', why: 'online' }));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#signal({ signal: 'kick', why: 'visible' });
    });
  }

  async start(tokens?: Tokens): Promise<boolean> {
    const call: Call = { call: 'start', resume: false, ...(tokens && { tokens }) };
    this.#started = (await this.#ask('started', call)).signed_in;
    return this.#started;
  }

  async signOut(): Promise<void> {
    await this.#ask('signed_out', { call: 'sign_out' });
    this.#started = false;
    this.#unkept.clear();
  }

  subscribe(listener: (event: ClientEvent) => void): () => void {
    const id = this.#nextId();
    this.#listeners.set(id, { notify: listener, live: false, knows: 'nothing' });
    this.#link.post({ type: 'snapshot', listener: id });
    return () => void this.#listeners.delete(id);
  }

  sendMessage(roomId: number, content: string, replyTo?: number): string {
    if (this.#unkept.size >= UNKEPT_MAX) {
      throw new RequestError('unavailable', 'too many messages wait to be kept');
    }
    const client_id = uuid();
    const reply = replyTo === undefined ? {} : { reply_to: replyTo };
    const signal: Signal = { signal: 'send_message', client_id, room_id: roomId, content, ...reply };
    this.#unkept.set(client_id, signal);
    this.#signal(signal);
    return client_id;
  }

  retry(clientId: string): void {
    this.#signal({ signal: 'retry', client_id: clientId });
  }

  discard(clientId: string): void {
    this.#unkept.delete(clientId);
    this.#signal({ signal: 'discard', client_id: clientId });
  }

  async editMessage(roomId: number, messageId: number, content: string): Promise<void> {
    await this.#operate({ op: 'edit_message', room_id: roomId, message_id: messageId, content });
  }

  async deleteMessage(roomId: number, messageId: number): Promise<void> {
    await this.#operate({ op: 'delete_message', room_id: roomId, message_id: messageId });
  }

  async addReaction(roomId: number, messageId: number, emoji: string): Promise<void> {
    await this.#operate({ op: 'add_reaction', room_id: roomId, message_id: messageId, emoji });
  }

  async removeReaction(roomId: number, messageId: number, emoji: string): Promise<void> {
    await this.#operate({ op: 'remove_reaction', room_id: roomId, message_id: messageId, emoji });
  }

  async pinMessage(roomId: number, messageId: number): Promise<void> {
    await this.#operate({ op: 'pin_message', room_id: roomId, message_id: messageId });
  }

  async unpinMessage(roomId: number, messageId: number): Promise<void> {
    await this.#operate({ op: 'unpin_message', room_id: roomId, message_id: messageId });
  }

  createRoom(name: string, kind: RoomKind, topic: string): Promise<number> {
    return this.#operate({ op: 'create_room', name, kind, topic });
  }

  async updateRoom(roomId: number, change: { name?: string; topic?: string }): Promise<void> {
    await this.#operate({ op: 'update_room', room_id: roomId, ...change });
  }

  async joinRoom(roomId: number): Promise<void> {
    await this.#operate({ op: 'join_room', room_id: roomId });
  }

  async leaveRoom(roomId: number): Promise<void> {
    await this.#operate({ op: 'leave_room', room_id: roomId });
  }

  async invite(roomId: number, username: string): Promise<void> {
    await this.#operate({ op: 'invite', room_id: roomId, username });
  }

  async kick(roomId: number, userId: number): Promise<void> {
    await this.#operate({ op: 'kick', room_id: roomId, user_id: userId });
  }

  async ban(roomId: number, userId: number): Promise<void> {
    await this.#operate({ op: 'ban', room_id: roomId, user_id: userId });
  }

  async unban(roomId: number, userId: number): Promise<void> {
    await this.#operate({ op: 'unban', room_id: roomId, user_id: userId });
  }

  async setRole(roomId: number, userId: number, role: Role): Promise<void> {
    await this.#operate({ op: 'set_role', room_id: roomId, user_id: userId, role });
  }

  async history(roomId: number, range: HistoryQuery): Promise<MessagePage> {
    return (await this.#query('history', { query: 'history', room_id: roomId, range })).page;
  }

  async members(roomId: number, after?: string): Promise<{ members: Member[]; more: boolean }> {
    return this.#query('members', { query: 'members', room_id: roomId, ...(after && { after }) });
  }

  async listRooms(name?: string, after?: string): Promise<{ rooms: RoomListing[]; more: boolean }> {
    return this.#query('rooms', { query: 'rooms', ...(name && { name }), ...(after && { after }) });
  }

  markRead(roomId: number, messageNo: number): void {
    this.#signal({ signal: 'mark_read', room_id: roomId, message_no: messageNo });
  }

  typing(roomId: number): void {
    this.#signal({ signal: 'typing', room_id: roomId });
  }

  watchPresence(roomId: number): void {
    this.#watched.set(roomId, (this.#watched.get(roomId) ?? 0) + 1);
    this.#signal({ signal: 'watch_presence', room_id: roomId });
  }

  unwatchPresence(roomId: number): void {
    const others = (this.#watched.get(roomId) ?? 0) - 1;
    if (others > 0) {
      this.#watched.set(roomId, others);
    } else if (this.#watched.delete(roomId)) {
      this.#signal({ signal: 'unwatch_presence', room_id: roomId });
    }
  }

  connectNow(): void {
    this.#signal({ signal: 'kick', why: 'asked' });
  }

  #signal(signal: Signal): void {
    this.#link.post({ type: 'signal', signal });
  }

  async #operate(operation: Operation): Promise<number> {
    const call: Call = { call: 'operation', client_id: uuid(), operation };
    return (await this.#ask('done', call)).room_id;
  }

  #query<K extends Answer['answer']>(kind: K, query: Query): Promise<Extract<Answer, { answer: K }>> {
    return this.#ask(kind, { call: 'query', query });
  }

  async #ask<K extends Answer['answer']>(kind: K, call: Call): Promise<Extract<Answer, { answer: K }>> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const id = this.#nextId();
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new RequestError('unavailable', 'the client did not answer'));
      }, CALL_TIMEOUT_MS);
      this.#calls.set(id, { call, resolve, reject, timer });
      this.#link.post({ type: 'call', id, call });
    });
    if (answer.answer !== kind) throw new RequestError('internal', `expected ${kind}, got ${answer.answer}`);
    return answer as Extract<Answer, { answer: K }>;
  }

  /** To a core that knows nothing of this tab: the login first, then the state, then what waits. */
  #sayEverything(missed: boolean): void {
    for (const listener of this.#listeners.values()) {
      if (listener.knows === 'all' && missed) listener.knows = 'part';
      listener.live = false;
    }
    const calls = [...this.#calls];
    if (this.#started) {
      const start: Call = { call: 'start', resume: !missed };
      this.#ask('started', start).then(
        ({ signed_in }) => {
          if (signed_in) this.#sayRest(calls);
          else this.#signedOut();
        },
        (error: unknown) => console.error('failed to start the client again', error),
      );
    } else {
      this.#sayRest(calls);
    }
  }

  #sayRest(calls: Iterable<[number, Waiting]>): void {
    for (const id of this.#listeners.keys()) this.#link.post({ type: 'snapshot', listener: id });
    for (const [id, { call }] of calls) if (this.#calls.has(id)) this.#link.post({ type: 'call', id, call });
    for (const signal of this.#unkept.values()) this.#signal(signal);
    for (const room_id of this.#watched.keys()) this.#signal({ signal: 'watch_presence', room_id });
  }

  /** The login ended while there was no worker to hear of it. */
  #signedOut(): void {
    this.#started = false;
    const connection = { state: 'ended', reason: 'signed_out' } as const;
    for (const listener of this.#listeners.values()) {
      Object.assign(listener, { live: true, knows: 'nothing' });
      listener.notify({ type: 'connection', connection });
    }
    for (const id of [...this.#calls.keys()]) {
      this.#settle(id)?.reject(new RequestError('unauthorized', 'the login ended'));
    }
  }

  #receive(message: Told): void {
    switch (message.type) {
      case 'event':
        this.#kept(message.event);
        for (const listener of this.#listeners.values()) if (listener.live) tell(listener, message.event);
        break;
      case 'snapshot': {
        const listener = this.#listeners.get(message.listener);
        if (!listener) break;
        listener.live = true;
        if (listener.knows === 'all' && !message.continues) listener.knows = 'part';
        for (const event of message.events) {
          this.#kept(event);
          tell(listener, event);
        }
        break;
      }
      case 'result':
        this.#settle(message.id)?.resolve(message.answer);
        break;
      case 'failure':
        this.#settle(message.id)?.reject(new RequestError(message.code, message.message, message.field));
        break;
      case 'restarted':
        this.#sayEverything(true);
        break;
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#calls.get(id);
    clearTimeout(waiting?.timer);
    this.#calls.delete(id);
    return waiting;
  }

  #kept(event: ClientEvent): void {
    if (event.type === 'message_pending') this.#unkept.delete(event.message.client_id);
    else if (event.type === 'message_sent' || event.type === 'message_discarded')
      this.#unkept.delete(event.client_id);
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

/** Tells one event. To a listener that may have missed some, every room begins anew. */
function tell(listener: Listener, event: ClientEvent): void {
  listener.notify(event);
  if (event.type !== 'ready') return;
  const missed = listener.knows === 'part';
  listener.knows = 'all';
  if (!missed) return;
  for (const room of event.rooms) {
    listener.notify({ type: 'room_reset', room_id: room.id, head_seq: room.head_seq });
  }
}

export function createClient(): ChatClient {
  return new WorkerClient();
}
