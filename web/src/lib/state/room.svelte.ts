// One open room: its timeline and members as they are loaded and as events change them.

import type { ChatClient, HistoryQuery } from '../client/interface';
import type { Member } from '../protocol/Member';
import type { Message } from '../protocol/Message';
import type { MessagePage } from '../protocol/MessagePage';
import type { PendingMessage } from '../protocol/PendingMessage';
import type { RoomEvent } from '../protocol/RoomEvent';
import type { TypingUser } from '../protocol/TypingUser';
import * as timeline from './timeline';

const PAGE = 60;
/** A page that is older than the events at hand is asked for again this often at most. */
const STALE_TRIES = 3;
/** How many pages of members are read at most: names for completion and details. */
const MEMBER_PAGES_MAX = 20;

export class RoomState {
  timeline = $state.raw<timeline.Timeline>(timeline.EMPTY);
  members = $state.raw<readonly Member[]>([]);
  typing = $state.raw<readonly TypingUser[]>([]);
  /** Who is online, as long as it is watched. */
  online = $state.raw<ReadonlySet<number> | undefined>();
  /** There are members of whom it is not known. */
  onlineMore = $state.raw(false);
  /** Why the messages could not be loaded. */
  error = $state.raw<Error | undefined>();
  /** Why earlier or later messages could not be loaded. */
  pageError = $state.raw<'before' | 'after' | undefined>();
  loading = $state.raw<'first' | 'before' | 'after' | undefined>();
  membersState = $state.raw<'none' | 'loading' | 'loaded' | 'failed'>('none');
  pinnedFailed = $state.raw(false);
  /** The first-unread line stands after this message, until one leaves the room. */
  unreadAfter = $state.raw<number | undefined>();
  /** What the first-unread line counts. */
  unreadCount = $state.raw(0);

  #asked = new Set<number>();
  #epoch = 0;

  constructor(
    readonly id: number,
    private readonly client: ChatClient,
  ) {}

  /** Loads the newest messages, or those around `around`, in place of what is shown. */
  async load(around?: number): Promise<void> {
    const epoch = ++this.#epoch;
    this.loading = 'first';
    this.error = undefined;
    try {
      const page = await this.#page(around ? { around, limit: PAGE } : { limit: PAGE });
      if (epoch !== this.#epoch) return;
      const apart = { ...this.timeline, messages: [], loaded: false };
      this.timeline = timeline.applyPage(apart, page);
      this.loading = undefined;
    } catch (error) {
      if (epoch !== this.#epoch) return;
      this.error = error as Error;
      this.loading = undefined;
    }
  }

  /** Loads what comes before or after the loaded messages. */
  async more(side: 'before' | 'after'): Promise<void> {
    const { messages, loaded, moreBefore, moreAfter } = this.timeline;
    const edge = side === 'before' ? messages[0] : messages.at(-1);
    if (!loaded || this.loading !== undefined || edge === undefined) return;
    if (!(side === 'before' ? moreBefore : moreAfter)) return;
    const epoch = this.#epoch;
    this.loading = side;
    this.pageError = undefined;
    try {
      const page = await this.#page({ [side]: edge.message_no, limit: PAGE });
      if (epoch === this.#epoch) this.timeline = timeline.applyPage(this.timeline, page);
    } catch {
      if (epoch === this.#epoch) this.pageError = side;
    } finally {
      if (epoch === this.#epoch) this.loading = undefined;
    }
  }

  /** The answered message, where it is known; asks for it otherwise. */
  quoted(messageNo: number): Message | undefined {
    const known = timeline.lookUp(this.timeline, messageNo);
    if (known === undefined && !this.#asked.has(messageNo)) {
      this.#asked.add(messageNo);
      this.#page({ around: messageNo, limit: 1 }).then(
        (page) => {
          this.timeline = timeline.applyOthers(this.timeline, page);
        },
        () => this.#asked.delete(messageNo),
      );
    }
    return known;
  }

  async loadPinned(): Promise<void> {
    this.pinnedFailed = false;
    try {
      const page = await this.#page({ pinned: true, limit: 100 });
      this.timeline = timeline.applyPinned(this.timeline, page);
    } catch {
      this.pinnedFailed = true;
    }
  }

  get pinned(): Message[] {
    const found = [...(this.timeline.pinned ?? [])].map((no) => timeline.lookUp(this.timeline, no));
    return found
      .filter((message) => message !== undefined)
      .toSorted((a, b) => (b.pinned_at ?? 0) - (a.pinned_at ?? 0));
  }

  async loadMembers(): Promise<void> {
    if (this.membersState === 'loading') return;
    this.membersState = 'loading';
    try {
      const members: Member[] = [];
      for (let page = 0; page < MEMBER_PAGES_MAX; page += 1) {
        const answer = await this.client.members(this.id, members.at(-1)?.username);
        members.push(...answer.members);
        if (!answer.more || answer.members.length === 0) break;
      }
      this.members = members;
      this.membersState = 'loaded';
    } catch {
      this.membersState = 'failed';
    }
  }

  applyEvent(event: RoomEvent): void {
    this.timeline = timeline.applyEvent(this.timeline, event);
    switch (event.type) {
      case 'message_pinned':
        if (!timeline.lookUp(this.timeline, event.message_no)) void this.loadPinned();
        break;
      case 'member_joined': {
        const { user_id, username, display_name, role } = event;
        this.#setMembers((members) => [
          ...members.filter((member) => member.user_id !== user_id),
          { user_id, username, display_name, role },
        ]);
        break;
      }
      case 'member_left':
        this.#setMembers((members) => members.filter((member) => member.user_id !== event.user_id));
        break;
      case 'role_changed':
        this.#setMembers((members) =>
          members.map((member) =>
            member.user_id === event.user_id ? { ...member, role: event.role } : member,
          ),
        );
        break;
    }
  }

  /** Wants to know who is online, until the returned function is called. */
  watchPresence(): () => void {
    this.client.watchPresence(this.id);
    return () => {
      this.client.unwatchPresence(this.id);
      this.online = undefined;
    };
  }

  applyPresence(online: readonly number[], more: boolean): void {
    this.online = new Set(online);
    this.onlineMore = more;
  }

  applyPending(message: PendingMessage): void {
    this.timeline = timeline.applyPending(this.timeline, message);
  }

  applySent(clientId: string, messageNo: number): void {
    this.timeline = timeline.applySent(this.timeline, clientId, messageNo);
  }

  applyDiscarded(clientId: string): void {
    this.timeline = timeline.applyDiscarded(this.timeline, clientId);
  }

  /** Events were skipped: what is shown has to be loaded again. */
  reset(headSeq: number): void {
    // A first page that is on its way may be older than what was skipped.
    const wanted = this.timeline.loaded || this.loading === 'first';
    this.#drop(headSeq);
    if (this.membersState !== 'none') void this.loadMembers();
    if (wanted) void this.load().then(() => this.loadPinned());
  }

  /** The user is no member any more: what is loaded does not follow the room. Unsent messages stay. */
  leave(): void {
    this.#drop(0);
    this.error = undefined;
    this.membersState = 'none';
    this.members = [];
    this.online = undefined;
  }

  #drop(headSeq: number): void {
    this.#epoch += 1;
    this.#asked.clear();
    this.loading = undefined;
    this.timeline = timeline.reset(this.timeline, headSeq);
  }

  #setMembers(change: (members: readonly Member[]) => Member[]): void {
    if (this.membersState === 'none') return;
    this.members = change(this.members).toSorted((a, b) => (a.username < b.username ? -1 : 1));
  }

  async #page(query: HistoryQuery): Promise<MessagePage> {
    let page = await this.client.history(this.id, query);
    for (let tries = 1; tries < STALE_TRIES && timeline.isStale(this.timeline, page); tries += 1) {
      page = await this.client.history(this.id, query);
    }
    return page;
  }
}
