// Sends that the client core did not take, because its outbox is full: shown as failed, to be tried
// again or discarded. They are not kept over a reload.

import type { ClientEvent } from '../lib/protocol/ClientEvent';
import type { ErrorCode } from '../lib/protocol/ErrorCode';
import type { Signal } from './messages';
import type { Refusal } from './requests';

export type Send = Extract<Signal, { signal: 'send_message' }>;

/** Beyond this the oldest is discarded, and the tabs are told so. */
const REFUSED_MAX = 500;

export class RefusedSends {
  readonly #sends = new Map<string, { send: Send; event: ClientEvent }>();

  /** Takes one; gives what to tell the tabs. */
  add(send: Send, refusal: Refusal): ClientEvent[] {
    const { client_id, room_id, content, reply_to } = send;
    const delivery = { state: 'failed', code: refusal.code as ErrorCode, message: refusal.message } as const;
    const created_at = Date.now();
    const event: ClientEvent = {
      type: 'message_pending',
      message: { client_id, room_id, content, created_at, delivery, ...(reply_to && { reply_to }) },
    };
    this.#sends.set(client_id, { send, event });
    const [oldest] = this.#sends.values();
    if (this.#sends.size <= REFUSED_MAX || !oldest) return [event];
    const { client_id: gone, room_id: where } = oldest.send;
    this.#sends.delete(gone);
    return [event, { type: 'message_discarded', client_id: gone, room_id: where }];
  }

  /** Takes one out, if it is here. */
  take(clientId: string): Send | undefined {
    const send = this.#sends.get(clientId)?.send;
    this.#sends.delete(clientId);
    return send;
  }

  /** All that are here. */
  events(): ClientEvent[] {
    return [...this.#sends.values()].map(({ event }) => event);
  }
}
