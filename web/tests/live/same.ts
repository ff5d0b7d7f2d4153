// Whether all see the same: what the page shows, what the hub holds.

import { expect } from '@playwright/test';
import { Api } from './api.ts';
import type { Front } from './hub.ts';
import type { Person } from './person.ts';

/**
 * Fails unless the room holds exactly the messages `said`, those of each speaker in the order in which
 * they were said, and every person's page shows exactly what the room holds, in that order.
 */
export async function expectSame(
  hub: Front,
  roomId: number,
  people: readonly Person[],
  said: Record<string, readonly string[]>,
): Promise<void> {
  const [first] = people;
  if (!first) throw new Error('nobody looks');
  const stored = await (await Api.signIn(hub, first.username)).messages(roomId);
  for (const [username, texts] of Object.entries(said)) {
    const own = stored.filter((message) => message.username === username).map(({ content }) => content);
    expect(own, `what ${username} said`).toEqual(texts);
  }
  expect(stored.length).toBe(Object.values(said).flat().length);
  expect(stored.map(({ message_no }) => message_no)).toEqual(stored.map((_, at) => at + 1));
  const held = stored.map(({ message_no, content }) => ({ no: message_no, text: content }));
  for (const person of people) {
    expect(await person.shown(), `what ${person.username} sees`).toEqual(held);
  }
}

/** `count` texts that tell who says them and which they are. */
export function lines(who: string, count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, at) => `${who} says ${from + at}`);
}
