// Everything the page knows: who is signed in, the connection, the rooms and the open one. Takes
// the client's events in order and hands each room its own; decides nothing about delivery.

import type { ChatClient, Tokens } from '../client/interface';
import type { ClientEvent } from '../protocol/ClientEvent';
import type { Connection } from '../protocol/Connection';
import type { EndReason } from '../protocol/EndReason';
import type { Limits } from '../protocol/Limits';
import type { NewMessage } from '../protocol/NewMessage';
import type { Room } from '../protocol/Room';
import type { User } from '../protocol/User';
import { strings } from '../strings';
import { announce } from './announcer.svelte';
import { drafts } from './drafts.svelte';
import { RoomState } from './room.svelte';
import { toast } from './toasts.svelte';

/** Rooms whose messages are kept after one leaves them. */
const OPEN_ROOMS_MAX = 12;
/** What of a message is read out. */
const SPOKEN_CHARS = 200;

export class Session {
  phase = $state.raw<'starting' | 'signed_out' | 'signed_in'>('starting');
  /** Why the login ended, if it did not end by one's own wish. */
  ended = $state.raw<EndReason | undefined>();
  connection = $state.raw<Connection>({ state: 'connecting', attempt: 0 });
  user = $state.raw<User | undefined>();
  rooms = $state.raw<ReadonlyMap<number, Room>>(new Map());
  limits = $state.raw<Limits | undefined>();
  currentId = $state.raw<number | undefined>();
  /** Set on every `ready`, so that one can wait for the first. */
  ready = $state.raw(false);

  #open = $state.raw<ReadonlyMap<number, RoomState>>(new Map());
  #removing = new Set<number>();

  constructor(readonly client: ChatClient) {
    client.subscribe((event) => this.#take(event));
  }

  /** Starts with the tokens of a login just made, or with those kept from last time. */
  async start(tokens?: Tokens): Promise<void> {
    try {
      const started = await this.client.start(tokens);
      this.phase = started ? 'signed_in' : 'signed_out';
      if (started) this.ended = undefined;
    } catch {
      this.phase = 'signed_out';
      this.ended = 'protocol_error';
    }
  }

  async signOut(): Promise<void> {
    try {
      await this.client.signOut();
    } finally {
      drafts.clear();
      this.#forget();
      // It ended by one's own wish: there is nothing to explain.
      this.ended = undefined;
      this.phase = 'signed_out';
    }
  }

  get current(): Room | undefined {
    return this.currentId === undefined ? undefined : this.rooms.get(this.currentId);
  }

  get currentState(): RoomState | undefined {
    return this.currentId === undefined ? undefined : this.#open.get(this.currentId);
  }

  get online(): boolean {
    return this.connection.state === 'online';
  }

  get me(): number {
    return this.user?.id ?? 0;
  }

  /** Opens a room at its first unread message, or closes the open one. */
  open(id: number | undefined): void {
    const before = this.currentState;
    if (before && before.id !== id) before.unreadAfter = undefined;
    this.currentId = id;
    const room = id === undefined ? undefined : this.rooms.get(id);
    if (room === undefined) return;
    const state = this.#state(room.id);
    if (before === state && (state.timeline.loaded || state.loading)) return;
    state.unreadAfter = room.unread_count > 0 ? room.last_read_no : undefined;
    state.unreadCount = room.unread_count;
    if (!state.timeline.loaded || state.error) {
      void state.load(room.unread_count > 0 ? room.last_read_no + 1 : undefined);
      void state.loadPinned();
    }
    if (state.membersState === 'none' || state.membersState === 'failed') void state.loadMembers();
  }

  /** The room is left on purpose: its removal needs no explanation. */
  expectRemoval(roomId: number): void {
    this.#removing.add(roomId);
  }

  #state(id: number): RoomState {
    const known = this.#open.get(id);
    const state = known ?? new RoomState(id, this.client);
    const open = new Map(this.#open);
    open.delete(id);
    open.set(id, state);
    for (const [oldId, old] of open) {
      if (open.size <= OPEN_ROOMS_MAX) break;
      if (oldId !== this.currentId && old.timeline.pending.length === 0) open.delete(oldId);
    }
    this.#open = open;
    return state;
  }

  #forget(): void {
    this.user = undefined;
    this.rooms = new Map();
    this.#open = new Map();
    this.currentId = undefined;
    this.ready = false;
    this.connection = { state: 'connecting', attempt: 0 };
  }

  #take(event: ClientEvent): void {
    switch (event.type) {
      case 'connection':
        this.#connected(event.connection);
        return;
      case 'ready':
        this.user = event.user;
        this.limits = event.limits;
        this.rooms = new Map(event.rooms.map((room) => [room.id, room]));
        for (const [id, state] of this.#open) if (!this.rooms.has(id)) state.leave();
        this.ready = true;
        // Another tab of this browser signed in.
        if (this.phase === 'signed_out') void this.start();
        if (this.currentId !== undefined) this.open(this.currentId);
        return;
      case 'room_changed': {
        const added = !this.rooms.has(event.room.id);
        this.rooms = new Map(this.rooms).set(event.room.id, event.room);
        if (this.currentId === event.room.id && (added || !this.currentState)) this.open(event.room.id);
        return;
      }
      case 'room_removed':
        this.#removed(event.room_id);
        return;
      case 'event':
        this.#open.get(event.event.room_id)?.applyEvent(event.event);
        if (event.event.type === 'new_message') this.#heard(event.event);
        return;
      case 'room_reset':
        this.#open.get(event.room_id)?.reset(event.head_seq);
        return;
      case 'message_pending':
        this.#state(event.message.room_id).applyPending(event.message);
        if (event.message.delivery.state === 'failed') announce(strings.announce.notSent);
        return;
      case 'message_sent':
        this.#open.get(event.room_id)?.applySent(event.client_id, event.message_no);
        return;
      case 'message_discarded':
        this.#open.get(event.room_id)?.applyDiscarded(event.client_id);
        return;
      case 'typing': {
        const state = this.#open.get(event.room_id);
        if (state) state.typing = event.users;
        return;
      }
      case 'presence':
        this.#open.get(event.room_id)?.applyPresence(event.online, event.more);
        return;
      // These answer requests, and reach those who asked as promises.
      case 'operation_done':
      case 'operation_failed':
      case 'history_page':
      case 'members_page':
      case 'rooms_page':
      case 'request_failed':
        return;
    }
  }

  #connected(connection: Connection): void {
    const before = this.connection.state;
    this.connection = connection;
    if (connection.state === 'ended') {
      if (connection.reason === 'closed') return;
      this.#forget();
      this.ended = connection.reason;
      this.phase = 'signed_out';
    } else if (this.ready && connection.state === 'offline' && before === 'online') {
      announce(strings.announce.offline);
    } else if (this.ready && connection.state === 'online' && before !== 'online') {
      announce(strings.announce.online);
    }
  }

  #removed(roomId: number): void {
    const room = this.rooms.get(roomId);
    const rooms = new Map(this.rooms);
    rooms.delete(roomId);
    this.rooms = rooms;
    const open = new Map(this.#open);
    open.delete(roomId);
    this.#open = open;
    drafts.set(roomId, '');
    if (!this.#removing.delete(roomId) && room) toast(strings.toast.removed(room.name));
    if (this.currentId === roomId) this.currentId = undefined;
  }

  #heard(event: NewMessage): void {
    if (event.user_id === this.me || event.deleted) return;
    const state = this.currentState;
    if (event.room_id !== this.currentId || !state) return;
    if (document.visibilityState === 'hidden' || !document.hasFocus()) {
      this.#arrivedUnseen(state, event);
    } else {
      announce(`${event.display_name}: ${event.content.slice(0, SPOKEN_CHARS)}`);
    }
  }

  /** What arrives while nobody looks gets the first-unread line above it. */
  #arrivedUnseen(state: RoomState, event: NewMessage): void {
    const lastRead = this.rooms.get(event.room_id)?.last_read_no ?? 0;
    if (state.unreadAfter === undefined || lastRead > state.unreadAfter) {
      state.unreadAfter = Math.max(lastRead, event.message_no - 1);
      state.unreadCount = 1;
    } else {
      state.unreadCount += 1;
    }
  }
}
