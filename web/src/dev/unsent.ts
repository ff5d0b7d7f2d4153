// What waits in the pretended outbox: one message that the hub refused, and one on its way.

import type { PendingMessage } from '../lib/protocol/PendingMessage';
import { MINUTE } from './people';

export function unsent(offline: boolean): PendingMessage[] {
  const at = Date.now() - MINUTE;
  return [
    {
      client_id: crypto.randomUUID(),
      room_id: 1,
      content: 'Changed “may be delayed” to “arrives late, is never lost”.',
      created_at: at,
      delivery: { state: 'failed', code: 'forbidden', message: 'you may not write here' },
    },
    {
      client_id: crypto.randomUUID(),
      room_id: 1,
      content: 'One more small change, in a minute.',
      created_at: at + 1000,
      delivery: offline ? { state: 'queued' } : { state: 'sending' },
    },
  ];
}
