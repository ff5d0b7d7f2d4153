import { describe, expect, it } from 'vitest';
import type { Member } from '../protocol/Member';
import { completionAt, matching } from './completion';

const member = (user_id: number, username: string, display_name: string): Member => ({
  user_id,
  username,
  display_name,
  role: 'member',
});
const members = [
  member(1, 'tomas', 'Tomás Vidal'),
  member(2, 'jun', 'Jun Park'),
  member(3, 'tom', 'Anna Tomlin'),
];

describe('completion of names', () => {
  it('starts at an @ that begins a word, up to the caret', () => {
    expect(completionAt('hi @to', 6)).toEqual({ start: 3, query: 'to' });
    expect(completionAt('hi @to', 4)).toEqual({ start: 3, query: '' });
    expect(completionAt('mail@to', 7)).toBeUndefined();
    expect(completionAt('hi @to there', 12)).toBeUndefined();
  });

  it('matches usernames and words of names, the exact one first, never oneself', () => {
    expect(matching(members, 'tom', 9).map((one) => one.username)).toEqual(['tom', 'tomas']);
    expect(matching(members, 'vid', 9).map((one) => one.username)).toEqual(['tomas']);
    expect(matching(members, 'jun', 2)).toEqual([]);
  });
});
