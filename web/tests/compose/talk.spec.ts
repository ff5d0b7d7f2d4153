// Two people behind the cluster's proxy, on different hubs: they talk while one hub's container dies, and
// neither loses anything.

import { execFileSync } from 'node:child_process';
import { type Browser, expect, test } from '@playwright/test';
import type { Front } from '../live/hub.ts';
import { Person } from '../live/person.ts';
import { expectSame, lines } from '../live/same.ts';

/** Each is on the same hub as ada with a chance of a third. */
const CANDIDATES_MAX = 16;
/** Enough that both still talk when the hub dies and when its absence was noticed. */
const SAID = 80;

const front: Front = { port: Number(process.env.HUBBUB_FRONT_PORT) };

/** What a container engine calls a hub: a container's host name, which is a hub's name, is its id. */
function engine(verb: 'kill' | 'start', node: string): void {
  execFileSync('docker', [verb, node], { timeout: 30_000 });
}

/** Someone new. */
async function arrive(browser: Browser, username: string): Promise<Person> {
  const person = await Person.arrive(browser, front, username);
  await person.register();
  expect(person.hop.node, `${username} was welcomed by a node`).toBeDefined();
  return person;
}

/** Someone whom Nginx sends to another hub than this one. */
async function arriveElsewhere(browser: Browser, node: string): Promise<Person> {
  for (let at = 1; at <= CANDIDATES_MAX; at += 1) {
    const person = await arrive(browser, `ben${at}`);
    if (person.hop.node !== node) return person;
    await person.leave();
  }
  throw new Error(`${CANDIDATES_MAX} people are all on ${node}`);
}

async function sayAll(person: Person, texts: readonly string[]): Promise<void> {
  for (const text of texts) await person.say(text);
}

test('two people on different hubs talk while the hub of one is killed', async ({ browser }) => {
  const ada = await arrive(browser, 'ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await arriveElsewhere(browser, ada.hop.node ?? '');
  await ben.joinRoom('garden');
  const killed = ben.hop.node ?? '';
  console.log(`ada is on ${ada.hop.node}, ${ben.username} on ${killed}`);

  await ada.say('ada says 1');
  await ben.hears('ada says 1');
  await ben.say(`${ben.username} says 1`);
  await ada.hears(`${ben.username} says 1`);

  const talking = Promise.all([
    sayAll(ada, lines('ada', SAID - 1, 2)),
    sayAll(ben, lines(ben.username, SAID - 1, 2)),
  ]);
  let done = false;
  void talking.then(() => {
    done = true;
  });
  await ada.hears(`${ben.username} says 5`);
  expect(done, 'they are still talking').toBe(false);
  engine('kill', killed);
  await talking;
  for (const person of [ada, ben]) await person.connected();
  // Whoever has had to wait is heard to the end; then each has the last word once, in view of the other.
  await ben.hears(`${ben.username} says ${SAID}`);
  await ada.say(`ada says ${SAID + 1}`);
  await ben.hears(`ada says ${SAID + 1}`);
  await ben.say(`${ben.username} says ${SAID + 1}`);
  await ada.hears(`${ben.username} says ${SAID + 1}`);
  expect(ben.hop.node, 'another hub has taken over').not.toBe(killed);
  console.log(`${ben.username} is on ${ben.hop.node} now`);

  const said = { ada: lines('ada', SAID + 1), [ben.username]: lines(ben.username, SAID + 1) };
  await expectSame(front, roomId, [ada, ben], said);
  engine('start', killed);
  for (const person of [ada, ben]) await person.page.reload();
  await expectSame(front, roomId, [ada, ben], said);
  expect([...ada.problems, ...ben.problems], 'the pages report no broken code').toEqual([]);
  for (const person of [ada, ben]) await person.leave();
});
