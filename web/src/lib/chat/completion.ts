// Completion of names while one writes. Pure.

import type { Member } from '../protocol/Member';

const MATCHES_MAX = 6;

export interface Completion {
  /** Where the `@` stands. */
  start: number;
  query: string;
}

/** The name that is being written at `caret`. */
export function completionAt(text: string, caret: number): Completion | undefined {
  const match = /(?:^|[^\p{L}\p{N}@])@([\p{L}\p{N}._-]{0,32})$/u.exec(text.slice(0, caret));
  const query = match?.[1];
  return query === undefined ? undefined : { start: caret - query.length - 1, query: query.toLowerCase() };
}

/** Members whose username, or a word of whose name, starts with `query`; oneself is left out. */
export function matching(members: readonly Member[], query: string, me: number): Member[] {
  const starts = (member: Member) =>
    member.username.startsWith(query) ||
    member.display_name
      .toLowerCase()
      .split(/\s+/)
      .some((word) => word.startsWith(query));
  const exact = (member: Member) => Number(member.username === query);
  return members
    .filter((member) => member.user_id !== me && starts(member))
    .toSorted((a, b) => exact(b) - exact(a))
    .slice(0, MATCHES_MAX);
}
