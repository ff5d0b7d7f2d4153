// Runs the client core for whoever is signed in: one core at a time, made from the kept login and
// outbox, and given up when its login ends. Starting and signing out take turns.

import type { Tokens } from '../lib/client/interface';
import type { ClientEvent } from '../lib/protocol/ClientEvent';
import { ChatClient } from '../wasm/client';
import { operate, query, sendMessage, signal } from './commands';
import { loginOf, refresh, revoke } from './login';
import type { Call, Signal } from './messages';
import { inherit, live } from './owner';
import { RefusedSends } from './refused';
import { type Asker, Requests, refusalOf, reject, resolve } from './requests';
import type { Login, OutboxRow, Store } from './store';
import type { Tab, Tabs } from './tabs';
import { Watches } from './watches';

/** How long a sign-out waits for the hub. Here everything is forgotten by then. */
const REVOKE_WAIT_MS = 3_000;
const SIGNED_OUT = { code: 'unauthorized', message: 'nobody is signed in' };

interface Running {
  client: ChatClient;
  login: Login;
  requests: Requests;
  refused: RefusedSends;
  /** The rooms that continue from a kept cursor, until the core told which rooms there are. */
  resumes: ReadonlySet<number> | undefined;
}

export class Host {
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #store: Store;
  readonly #owner: string;
  readonly #tabs: Tabs;
  readonly #watches = new Watches();

  constructor(store: Store, owner: string, tabs: Tabs) {
    this.#store = store;
    this.#owner = owner;
    this.#tabs = tabs;
    live(owner);
  }

  /** What a tab that comes late has to know, and whether to a tab of a worker that ended it misses nothing. */
  snapshot(): { events: ClientEvent[]; continues: boolean } {
    const running = this.#running;
    if (!running) return { events: [], continues: false };
    const events = JSON.parse(running.client.snapshot()) as ClientEvent[];
    return { events: [...events, ...running.refused.events()], continues: running.resumes !== undefined };
  }

  call(asker: Asker, call: Call): void {
    const running = this.#running;
    switch (call.call) {
      case 'start':
        this.#inTurn(asker, async () => {
          const signed_in = await this.#start(asker.tab, call.resume, call.tokens);
          resolve(asker, { answer: 'started', signed_in });
        });
        break;
      case 'sign_out':
        this.#inTurn(asker, async () => {
          await this.#signOut(asker.tab);
          resolve(asker, { answer: 'signed_out' });
        });
        break;
      case 'operation':
        if (!running) reject(asker, SIGNED_OUT);
        else if (!running.requests.joinOperation(call.client_id, asker)) {
          running.requests.addOperation(call.client_id, asker);
          const refused = refusalOf(() => operate(running.client, call.client_id, call.operation));
          if (refused) running.requests.refuseOperation(call.client_id, refused);
        }
        break;
      case 'query':
        if (!running) reject(asker, SIGNED_OUT);
        else {
          const refused = refusalOf(() =>
            running.requests.addQuery(query(running.client, call.query), asker),
          );
          if (refused) reject(asker, refused);
        }
        break;
    }
  }

  /** What a tab says; `tab` is where what it shows ends with it. */
  signal(said: Signal, tab?: Tab): void {
    if (tab && said.signal === 'watch_presence') this.#watches.watch(tab, said.room_id);
    if (tab && said.signal === 'unwatch_presence' && !this.#watches.unwatch(tab, said.room_id)) return;
    const running = this.#running;
    if (!running) return;
    if (said.signal === 'send_message') {
      const refused = refusalOf(() => sendMessage(running.client, said));
      if (refused) this.#tell(running, running.refused.add(said, refused));
      return;
    }
    if (said.signal === 'retry' || said.signal === 'discard') {
      const send = running.refused.take(said.client_id);
      if (send && said.signal === 'retry') return this.signal(send);
      if (send) {
        return this.#tell(running, [
          { type: 'message_discarded', client_id: send.client_id, room_id: send.room_id },
        ]);
      }
    }
    signal(running.client, said);
  }

  /** The tab is gone, and with it what it shows. */
  forget(tab: Tab): void {
    for (const room_id of this.#watches.forget(tab)) this.signal({ signal: 'unwatch_presence', room_id });
  }

  /** What is to be kept is durable once this resolves. */
  flushed(): Promise<void> {
    return this.#store.flushed();
  }

  #inTurn(asker: Asker, task: () => Promise<void>): void {
    this.#turn = this.#turn.then(task).catch((error: unknown) => {
      console.error('failed to start or to sign out', error);
      reject(asker, { code: 'internal', message: String(error) });
    });
  }

  async #start(tab: Tab, resume: boolean, tokens?: Tokens): Promise<boolean> {
    if (this.#running && !tokens) return true;
    const login = tokens ? loginOf(tokens) : await this.#store.login();
    if (!login) return false;
    const restarts = this.#running !== undefined;
    this.#stop();
    if (tokens) await this.#store.putLogin(login);
    await this.#run(login, resume);
    if (restarts) this.#tabs.post({ type: 'restarted' }, tab);
    return true;
  }

  async #run(login: Login, resume: boolean): Promise<void> {
    const rows = await this.#store.outbox(login.sub);
    const own = rows.filter((row) => row.owner === this.#owner);
    const session = JSON.parse((await this.#store.session(this.#owner, login.sub)) ?? '{}');
    // A page that begins anew has no messages that a cursor could continue, and history brings them:
    // cursors are for tabs that outlive their worker.
    const { epoch, cursors, ...rest } = session;
    const kept = resume ? { epoch, cursors, ...rest } : rest;
    const restored = { ...kept, outbox: own.map((row) => JSON.parse(row.entry)) };
    const running: Running = {
      login,
      requests: new Requests(),
      refused: new RefusedSends(),
      resumes: resume && cursors ? new Set(Object.keys(cursors).map(Number)) : undefined,
      client: new ChatClient(socketUrl(), JSON.stringify(restored), {
        event: (json) => this.#take(running, JSON.parse(json)),
        put: (client_id, entry) =>
          this.#store.putSend({ client_id, sub: login.sub, owner: this.#owner, entry }),
        remove: (clientId) => this.#store.deleteSend(clientId),
        session: (session) => this.#store.putSession({ owner: this.#owner, sub: login.sub, session }),
        refresh: () => void this.#refresh(running),
      }),
    };
    this.#running = running;
    running.client.start(login.access_token, login.expires_at - Date.now());
    const others = rows.filter((row) => row.owner !== this.#owner);
    inherit(this.#store, login.sub, others, (row) => this.#adopt(login.sub, row));
  }

  #stop(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.client.close();
    running?.client.free();
  }

  async #signOut(tab: Tab): Promise<void> {
    const login = this.#running?.login ?? (await this.#store.login());
    this.#stop();
    await this.#store.clear();
    const connection = { state: 'ended', reason: 'signed_out' } as const;
    this.#tabs.post({ type: 'event', event: { type: 'connection', connection } }, tab);
    if (login) await Promise.race([revoke(login), new Promise((wake) => setTimeout(wake, REVOKE_WAIT_MS))]);
  }

  #take(running: Running, event: ClientEvent): void {
    if (running.requests.answer(event)) return;
    this.#tell(running, [event]);
    if (event.type === 'connection' && event.connection.state === 'ended') {
      const { reason } = event.connection;
      // The core is in the middle of telling this.
      queueMicrotask(
        () => void this.#ended(running, reason === 'signed_out' || reason === 'account_disabled'),
      );
    } else if (event.type === 'ready' && running.resumes) {
      const { resumes } = running;
      running.resumes = undefined;
      const skipped = event.rooms.filter((room) => !resumes.has(room.id));
      this.#tell(
        running,
        skipped.map(({ id, head_seq }) => ({ type: 'room_reset', room_id: id, head_seq })),
      );
    }
  }

  #tell(running: Running, events: readonly ClientEvent[]): void {
    if (this.#running !== running) return;
    for (const event of events) this.#tabs.post({ type: 'event', event });
  }

  /** The outbox stays kept: the same user may sign in again. */
  async #ended(running: Running, loginToo: boolean): Promise<void> {
    if (this.#running !== running) return;
    this.#stop();
    if (loginToo) await this.#store.deleteLogin();
  }

  async #refresh(running: Running): Promise<void> {
    const refreshed = await refresh(this.#store, running.login);
    if (this.#running !== running) return;
    if (refreshed.outcome === 'refreshed') {
      running.login = refreshed.login;
      running.client.setToken(refreshed.login.access_token, refreshed.login.expires_at - Date.now());
    } else {
      running.client.tokenFailed(refreshed.outcome === 'ended');
    }
  }

  /** Sends what a worker that is gone left behind. */
  #adopt(sub: string, row: OutboxRow): void {
    if (this.#running?.login.sub !== sub) return;
    const { message } = JSON.parse(row.entry);
    const { client_id, room_id, content, reply_to } = message;
    this.signal({ signal: 'send_message', client_id, room_id, content, reply_to });
  }
}

function socketUrl(): string {
  const url = new URL('/ws', location.origin);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
