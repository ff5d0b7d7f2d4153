// What this browser keeps between visits: the login, the outbox and how far each room was told, of
// the one who is signed in. One IndexedDB database. Every row names its user (the token's `sub`), and
// a row of another user is never used, only deleted. Where the database cannot be had (some private
// windows), everything is kept in memory, and a reload begins anew.

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';

const DATABASE = 'hubbub';
const VERSION = 1;
/** How long to wait for the database to open: another tab may hold an older version of it. */
const OPEN_TIMEOUT_MS = 5_000;

/** The tokens of a login, and when the access token ends by this browser's clock. */
export interface Login {
  sub: string;
  access_token: string;
  refresh_token: string;
  expires_at: number;
}

/** A send that is not acknowledged yet. `entry` is the client core's own JSON. */
export interface OutboxRow {
  client_id: string;
  sub: string;
  /** The worker that sends it. */
  owner: string;
  entry: string;
}

/** Whose a core was and how far it told each room, as the client core's own JSON. */
export interface SessionRow {
  owner: string;
  sub: string;
  session: string;
}

interface Schema extends DBSchema {
  login: { key: 'current'; value: Login };
  outbox: { key: string; value: OutboxRow };
  session: { key: string; value: SessionRow };
}

type Database = IDBPDatabase<Schema>;

export class Store {
  readonly #db: Database | undefined;
  readonly #memory = {
    login: undefined as Login | undefined,
    outbox: new Map<string, OutboxRow>(),
    session: new Map<string, SessionRow>(),
  };
  /** The last write of the outbox and of sessions: writes are in order, `flushed` waits for them. */
  #written: Promise<void> = Promise.resolve();

  private constructor(db: Database | undefined) {
    this.#db = db;
  }

  static async open(): Promise<Store> {
    try {
      return new Store(await withDeadline(openDatabase(), OPEN_TIMEOUT_MS));
    } catch (error) {
      console.warn('nothing is kept over a reload: failed to open the database', error);
      return new Store(undefined);
    }
  }

  async login(): Promise<Login | undefined> {
    return this.#db ? this.#db.get('login', 'current') : this.#memory.login;
  }

  /** Keeps a login. Resolves once it is durable: a rotated token must not be used before. */
  async putLogin(login: Login): Promise<void> {
    if (!this.#db) {
      this.#memory.login = login;
      return;
    }
    const tx = this.#db.transaction('login', 'readwrite', { durability: 'strict' });
    await Promise.all([tx.store.put(login, 'current'), tx.done]);
  }

  async deleteLogin(): Promise<void> {
    this.#memory.login = undefined;
    await this.#db?.delete('login', 'current');
  }

  /** The sends of `sub`. Those of anyone else are deleted. */
  async outbox(sub: string): Promise<OutboxRow[]> {
    await this.flushed();
    const all = this.#db ? await this.#db.getAll('outbox') : [...this.#memory.outbox.values()];
    for (const row of all) if (row.sub !== sub) this.deleteSend(row.client_id);
    return all.filter((row) => row.sub === sub);
  }

  putSend(row: OutboxRow): void {
    if (this.#db) this.#write((db) => db.put('outbox', row));
    else this.#memory.outbox.set(row.client_id, row);
  }

  deleteSend(clientId: string): void {
    if (this.#db) this.#write((db) => db.delete('outbox', clientId));
    else this.#memory.outbox.delete(clientId);
  }

  /** How far an earlier core of `owner` told the rooms of `sub`. */
  async session(owner: string, sub: string): Promise<string | undefined> {
    const row = this.#db ? await this.#db.get('session', owner) : this.#memory.session.get(owner);
    return row?.sub === sub ? row.session : undefined;
  }

  putSession(row: SessionRow): void {
    if (this.#db) this.#write((db) => db.put('session', row, row.owner));
    else this.#memory.session.set(row.owner, row);
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    this.#memory.login = undefined;
    this.#memory.outbox.clear();
    this.#memory.session.clear();
    this.#write((db) => db.clear('outbox'));
    this.#write((db) => db.clear('session'));
    await this.flushed();
    await this.#db?.clear('login');
  }

  /** Resolves when everything written so far is durable. */
  flushed(): Promise<void> {
    return this.#written;
  }

  #write(change: (db: Database) => Promise<unknown>): void {
    const db = this.#db;
    if (!db) return;
    this.#written = this.#written
      .then(() => change(db))
      .then(
        () => undefined,
        (error: unknown) => console.error('failed to write to the database', error),
      );
  }
}

function openDatabase(): Promise<Database> {
  return openDB<Schema>(DATABASE, VERSION, {
    upgrade(db) {
      db.createObjectStore('login');
      db.createObjectStore('outbox', { keyPath: 'client_id' });
      db.createObjectStore('session');
    },
    // A newer page wants to change the database: let it.
    blocking(_current, _next, event) {
      (event.target as IDBDatabase).close();
    },
  });
}

function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
