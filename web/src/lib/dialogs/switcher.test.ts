import { describe, expect, it } from 'vitest';
import type { Room } from '../protocol/Room';
import { roomOrder } from '../state/order';
import { hits, scoreOf, switcherGroups } from './switcher';

const room = (id: number, name: string, more: Partial<Room> = {}): Room => ({
  id,
  name,
  kind: 'public',
  topic: '',
  role: 'member',
  head_seq: 0,
  last_message_no: 0,
  last_read_no: 0,
  joined_seq: 0,
  unread_count: 0,
  mention_count: 0,
  member_count: 1,
  created_at: 0,
  ...more,
});

describe('the quick switcher', () => {
  it('ranks the start of a name over its middle over letters in order', () => {
    expect(['design', 'hidden', 'delivery', 'dune'].map((name) => scoreOf(name, 'de'))).toEqual([3, 2, 3, 1]);
    expect(scoreOf('general', 'xyz')).toBeUndefined();
  });

  it('marks what was typed', () => {
    expect(hits('hidden', 'de').filter((piece) => piece.hit)).toEqual([{ text: 'de', hit: true }]);
    expect(hits('dune', 'de').map((piece) => piece.text)).toEqual(['d', 'un', 'e']);
  });

  it('offers own rooms, then others, then what one can do', () => {
    const listing = {
      id: 9,
      name: 'debug',
      kind: 'public' as const,
      topic: '',
      member_count: 3,
      is_member: false,
    };
    const groups = switcherGroups(
      'de',
      [room(1, 'general'), room(2, 'design')],
      [listing, { ...listing, id: 2 }],
      1,
    );
    expect(groups.map((group) => [group.title, group.options.map((option) => option.key)])).toEqual([
      ['rooms', ['room 2']],
      ['others', ['join 9']],
      ['actions', ['create', 'browse']],
    ]);
  });
});

describe('the list of rooms', () => {
  it('has unread rooms first, those with mentions before the others, and the open one in its place', () => {
    const rooms = [
      room(1, 'a', { unread_count: 2 }),
      room(2, 'b', { unread_count: 1, mention_count: 1 }),
      room(3, 'c'),
      room(4, 'd', { unread_count: 5 }),
    ];
    const order = roomOrder(new Map(rooms.map((one) => [one.id, one])), 4);
    expect(order.map((group) => group.rooms.map((one) => one.id))).toEqual([
      [2, 1],
      [3, 4],
    ]);
  });
});
