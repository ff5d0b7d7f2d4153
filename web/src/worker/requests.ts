// Who asked for what: the client core answers with events under its own names, the tabs wait under
// theirs. An answer for a tab that went away is dropped.

import type { ClientEvent } from '../lib/protocol/ClientEvent';
import type { Answer } from './messages';
import type { Tab } from './tabs';

/** One call of one tab. */
export interface Asker {
  tab: Tab;
  id: number;
}

export class Requests {
  /** By client_id. A tab that attached again asks a second time for the same operation. */
  readonly #operations = new Map<string, Asker[]>();
  /** By request_id. */
  readonly #queries = new Map<number, Asker>();

  /** Whether the operation is under way already; its asker then waits for the same answer. */
  joinOperation(clientId: string, asker: Asker): boolean {
    const askers = this.#operations.get(clientId);
    askers?.push(asker);
    return askers !== undefined;
  }

  addOperation(clientId: string, asker: Asker): void {
    this.#operations.set(clientId, [asker]);
  }

  addQuery(requestId: number, asker: Asker): void {
    this.#queries.set(requestId, asker);
  }

  /** Takes an event that answers a request. Gives false for any other event. */
  answer(event: ClientEvent): boolean {
    switch (event.type) {
      case 'operation_done':
        for (const asker of this.#takeOperation(event.client_id)) {
          resolve(asker, { answer: 'done', room_id: event.room_id });
        }
        return true;
      case 'operation_failed':
        for (const asker of this.#takeOperation(event.client_id)) reject(asker, event);
        return true;
      case 'history_page':
        resolve(this.#takeQuery(event.request_id), { answer: 'history', page: event.page });
        return true;
      case 'members_page': {
        const { members, more } = event;
        resolve(this.#takeQuery(event.request_id), { answer: 'members', members, more });
        return true;
      }
      case 'rooms_page': {
        const { rooms, more } = event;
        resolve(this.#takeQuery(event.request_id), { answer: 'rooms', rooms, more });
        return true;
      }
      case 'request_failed':
        reject(this.#takeQuery(event.request_id), event);
        return true;
      default:
        return false;
    }
  }

  refuseOperation(clientId: string, refusal: Refusal): void {
    for (const asker of this.#takeOperation(clientId)) reject(asker, refusal);
  }

  #takeOperation(clientId: string): Asker[] {
    const askers = this.#operations.get(clientId) ?? [];
    this.#operations.delete(clientId);
    return askers;
  }

  #takeQuery(requestId: number): Asker | undefined {
    const asker = this.#queries.get(requestId);
    this.#queries.delete(requestId);
    return asker;
  }
}

/** A refusal, by whomever. */
export interface Refusal {
  code: string;
  message: string;
  field?: string | null;
}

export function resolve(asker: Asker | undefined, answer: Answer): void {
  asker?.tab.post({ type: 'result', id: asker.id, answer });
}

export function reject(asker: Asker | undefined, { code, message, field }: Refusal): void {
  asker?.tab.post({ type: 'failure', id: asker.id, code, message, ...(field && { field }) });
}

/** Why the client core refused a command: it throws its reasons as JSON. Anything else is a defect. */
export function refusalOf(command: () => void): Refusal | undefined {
  try {
    command();
    return undefined;
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return JSON.parse(error) as Refusal;
  }
}
