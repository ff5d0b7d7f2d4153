// What was said in the pretended room "delivery": every kind of message there is.

import type { Message } from '../lib/protocol/Message';
import { DAY, ME, MINUTE, NOW, PEOPLE } from './people';

const CODE = `\`\`\`rust
fn handle_publication(&mut self, event: Event, now: Instant) {
    match event.seq.cmp(&self.next) {
        Less => {} // seen before
        Equal => self.deliver(event),
        Greater => {
            self.held.insert(event.seq, event);
            self.backfill_at.get_or_insert(now + REORDER_WAIT); // 40 ms
        }
    }
}
\`\`\``;

type Line = [user: number, ago: number, content: string, more?: Partial<Message>];

const yesterday = DAY + 30 * MINUTE;

const LINES: Line[] = [
  [
    4,
    yesterday + 20 * MINUTE,
    'Rolled `hub-3` to 0.9.2. The drain took 11 s: 4,812 connections moved, and nobody saw an error.',
    { reactions: [{ emoji: '🎉', user_ids: [1, 2, 5] }] },
  ],
  [2, yesterday, '', { deleted_at: NOW - yesterday }],
  [
    1,
    90 * MINUTE,
    `Found yesterday’s gap. The feed held event 418, but when 420 arrived first it waited for a doorbell that never rang. It should ask the store itself:\n\n${CODE}`,
    {
      reactions: [
        { emoji: '🎉', user_ids: [2, 4, 5, ME] },
        { emoji: '👀', user_ids: [5, 6] },
      ],
      pinned_at: NOW - 80 * MINUTE,
    },
  ],
  [
    5,
    87 * MINUTE,
    'Lovely catch. Does the simulation find it with the old code? If so, I would keep that seed next to the test.',
    {
      edited_at: NOW - 86 * MINUTE,
      reply_to: {
        message_id: 1003,
        message_no: 3,
        user_id: 1,
        username: 'tomas',
        display_name: 'Tomás Vidal',
      },
    },
  ],
  [
    1,
    31 * MINUTE,
    'Seed 7741 does, in under a second. Pinned here and added to [the regression list](https://example.org/regressions).',
  ],
  [
    2,
    29 * MINUTE,
    '@mira could you look at the wording in the release note before noon? The draft is in #release-notes.',
    { mentions: [ME] },
  ],
  [
    2,
    28 * MINUTE,
    'Two things it must say: what was late, and that nothing was lost.',
    { reactions: [{ emoji: '✅', user_ids: [ME] }] },
  ],
  [ME, 26 * MINUTE, 'On it, reading now.'],
];

export function delivery(): Message[] {
  return LINES.map(([user, ago, content, more], at) => said(1, at + 1, user, NOW - ago, content, more));
}

export function said(
  roomId: number,
  no: number,
  userId: number,
  at: number,
  content: string,
  more: Partial<Message> = {},
): Message {
  const { username, display_name } = PEOPLE.find((one) => one.user_id === userId) ?? {
    username: 'x',
    display_name: 'X',
  };
  return {
    room_id: roomId,
    message_id: roomId * 1000 + no,
    message_no: no,
    seq: no,
    latest_seq: no,
    user_id: userId,
    username,
    display_name,
    content,
    created_at: at,
    ...more,
  };
}

const WORDS =
  'the node hears a doorbell and asks its store what came after while every reader keeps a cursor'.split(' ');

/** A long talk of `count` messages with texts of many lengths. */
export function longTalk(roomId: number, count: number): Message[] {
  return Array.from({ length: count }, (_, at) => {
    const length = 3 + ((at * 7919) % 41);
    const words = Array.from({ length }, (_, word) => WORDS[(at + word * 3) % WORDS.length]);
    const user = PEOPLE[Math.floor(at / 3) % PEOPLE.length]?.user_id ?? ME;
    return said(roomId, at + 1, user, NOW - (count - at) * MINUTE, `${at + 1}: ${words.join(' ')}`);
  });
}
