// What the tests of page and hub share: a hub of their own, and people who use it.

import { test as base, expect } from '@playwright/test';
import { Hub } from './hub.ts';
import { Person } from './person.ts';

interface Fixtures {
  /** Settings of the hub beside the usual ones. */
  settings: Record<string, string>;
  hub: Hub;
  /** Brings someone who has an account and is signed in. */
  arrive: (username: string) => Promise<Person>;
}

export const test = base.extend<Fixtures>({
  settings: [{}, { option: true }],
  hub: async ({ settings }, use, info) => {
    const hub = await Hub.start(settings);
    await use(hub);
    await hub.stop();
    if (info.status !== info.expectedStatus) {
      await info.attach('hub.log', { body: hub.log, contentType: 'text/plain' });
    }
  },
  arrive: async ({ browser, hub }, use) => {
    const people: Person[] = [];
    await use(async (username) => {
      const person = await Person.arrive(browser, hub, username);
      people.push(person);
      await person.register();
      return person;
    });
    const problems = people.flatMap((person) => person.problems);
    for (const person of people) await person.leave();
    expect(problems, 'the pages report no broken code and no broken policy').toEqual([]);
  },
});

export { expect };
