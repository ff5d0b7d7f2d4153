// Pages of a room's messages, as a hub would cut them.

import type { HistoryQuery } from '../lib/client/interface';
import type { Message } from '../lib/protocol/Message';
import type { MessagePage } from '../lib/protocol/MessagePage';

/** The page that a query asks for; `all` is ascending, without a hole. */
export function pageOf(
  all: readonly Message[],
  query: HistoryQuery,
  limit: number,
  as_of_seq: number,
): MessagePage {
  if (query.pinned) {
    const messages = all.filter((one) => one.pinned_at);
    return { messages, more_before: false, more_after: false, as_of_seq };
  }
  const [from, to] = bounds(query, limit, all.length);
  return { messages: all.slice(from, to), more_before: from > 0, more_after: to < all.length, as_of_seq };
}

function bounds({ before, after, around }: HistoryQuery, limit: number, count: number): [number, number] {
  if (before !== undefined) return [Math.max(0, before - 1 - limit), before - 1];
  if (after !== undefined) return [after, Math.min(count, after + limit)];
  if (around !== undefined) {
    const from = Math.max(0, around - 1 - Math.floor(limit / 2));
    return [from, Math.min(count, from + limit)];
  }
  return [Math.max(0, count - limit), count];
}
