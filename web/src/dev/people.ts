// Who is there in the pretended hub, and its rooms.

import type { Member } from '../lib/protocol/Member';
import type { Room } from '../lib/protocol/Room';

export const ME = 3;
export const NOW = Date.now();
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

const person = (
  user_id: number,
  username: string,
  display_name: string,
  role: Member['role'] = 'member',
): Member => ({
  user_id,
  username,
  display_name,
  role,
});

export const PEOPLE: Member[] = [
  person(5, 'amara', 'Amara Nwosu', 'admin'),
  person(4, 'ingrid', 'Ingrid Sørensen'),
  person(2, 'jun', 'Jun Park', 'admin'),
  person(3, 'mira', 'Mira Okafor', 'owner'),
  person(6, 'noor', 'Noor Haddad'),
  person(7, 'petra', 'Petra Lindqvist', 'owner'),
  person(8, 'rafael', 'Rafael Kimura'),
  person(10, 'sanne', 'Sanne Bakker'),
  person(1, 'tomas', 'Tomás Vidal'),
];

/** Those who are online. */
export const ONLINE = [1, 2, 3, 4, 5, 6];

const room = (id: number, name: string, more: Partial<Room> = {}): Room => ({
  id,
  name,
  kind: 'public',
  topic: '',
  role: 'member',
  head_seq: 0,
  last_message_no: 0,
  last_read_no: 0,
  joined_seq: 1,
  unread_count: 0,
  mention_count: 0,
  member_count: PEOPLE.length,
  created_at: NOW - 200 * DAY,
  ...more,
});

export const ROOMS: Room[] = [
  room(1, 'delivery', { topic: 'Once, in order, never lost. On call this week: Jun', role: 'admin' }),
  room(2, 'general', { topic: 'Everything else' }),
  room(3, 'hiring', { kind: 'private', role: 'owner', topic: 'Candidates and interviews' }),
  room(4, 'release-notes', { topic: 'What changed, in words' }),
  room(5, 'reading-club'),
  room(6, 'incident-2041', { unread_count: 5, mention_count: 2, topic: 'Gap in room 418' }),
  room(7, 'design', { unread_count: 7, topic: 'Tidewater’s look and words' }),
];

export const OTHER_ROOMS: Room[] = [
  room(20, 'bicycles', { topic: 'Routes, repairs, rain', member_count: 23 }),
  room(21, 'debugging', { topic: 'Bring your strangest', member_count: 112 }),
  room(22, 'lunch', { member_count: 8 }),
];
