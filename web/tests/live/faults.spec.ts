// Connections break and the hub dies: nobody loses a message, sees one twice or in another order.

import { expect, test } from './fixtures.ts';
import type { Person } from './person.ts';
import { expectSame, lines } from './same.ts';

/** Two people in one room. */
async function meet(arrive: (username: string) => Promise<Person>) {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  return { ada, ben, roomId };
}

async function sayAll(person: Person, texts: readonly string[]): Promise<void> {
  for (const text of texts) await person.say(text);
}

test('a cut connection comes back with everything that was said meanwhile', async ({ hub, arrive }) => {
  const { ada, ben, roomId } = await meet(arrive);
  await ada.say('ada says 1');
  await ben.hears('ada says 1');

  ben.hop.cut();
  await ben.disconnected();
  await sayAll(ada, lines('ada', 4, 2));
  await sayAll(ben, lines('ben', 3));
  await expect(ben.page.getByText('Waiting for the connection')).toHaveCount(3);
  await expect(ben.page.locator('.banner__text', { hasText: 'your messages will be sent' })).toBeVisible();
  await ada.hears('ada says 5');
  await expect(ada.page.getByText('ben says')).toHaveCount(0);

  ben.hop.resume();
  await ben.connected();
  await ada.hears('ben says 3');
  await ben.hears('ada says 5');
  await expectSame(hub, roomId, [ada, ben], { ada: lines('ada', 5), ben: lines('ben', 3) });
});

test('a connection that falls silent is noticed and replaced', async ({ hub, arrive }) => {
  const { ada, ben, roomId } = await meet(arrive);
  ben.hop.stall();
  await sayAll(ada, lines('ada', 2));
  await sayAll(ben, lines('ben', 2));
  // The browser says that it is online again: whether the connection lives is looked at at once.
  await ben.page.evaluate(() => dispatchEvent(new Event('online')));
  await ben.disconnected();
  expect(ben.hop.webSocketsOpened).toBe(1);

  ben.hop.resume();
  await ben.connected();
  await ben.hears('ada says 2');
  await ada.hears('ben says 2');
  await expectSame(hub, roomId, [ada, ben], { ada: lines('ada', 2), ben: lines('ben', 2) });
});

test('the hub is killed and started again while both are talking', async ({ hub, arrive }) => {
  const { ada, ben, roomId } = await meet(arrive);
  const count = 60;
  const talking = Promise.all([sayAll(ada, lines('ada', count)), sayAll(ben, lines('ben', count))]);
  let done = false;
  void talking.then(() => {
    done = true;
  });
  for (const heard of [8, 25]) {
    await ben.hears(`ada says ${heard}`);
    expect(done, 'they are still talking').toBe(false);
    await hub.kill();
    await hub.start();
  }
  await talking;
  for (const person of [ada, ben]) await person.connected();
  await ada.hears(`ben says ${count}`);
  await ben.hears(`ada says ${count}`);
  await expectSame(hub, roomId, [ada, ben], { ada: lines('ada', count), ben: lines('ben', count) });

  for (const person of [ada, ben]) await person.page.reload();
  await expectSame(hub, roomId, [ada, ben], { ada: lines('ada', count), ben: lines('ben', count) });
});

test('what was written while the hub was away survives a reload', async ({ hub, arrive }) => {
  const { ada, ben, roomId } = await meet(arrive);
  await ada.say('ada says 1');
  await ben.hears('ada says 1');
  await hub.kill();
  await ben.disconnected();
  await sayAll(ben, lines('ben', 3));
  await expect(ben.page.getByText('Waiting for the connection')).toHaveCount(3);
  // Nothing answers: the page, and with it the worker, is gone.
  await expect(ben.page.reload()).rejects.toThrow(/net::/);

  await hub.start();
  await ben.page.goto(`/rooms/${roomId}`);
  await ben.connected();
  await ada.hears('ben says 3');
  await expectSame(hub, roomId, [ada, ben], { ada: ['ada says 1'], ben: lines('ben', 3) });
});

test('a message that was refused can be sent again', async ({ hub, arrive }) => {
  const { ada, ben, roomId } = await meet(arrive);
  ben.hop.cut();
  await ben.disconnected();
  await ben.say('Am I still here?');

  await ada.page.locator('.person', { hasText: 'BEN' }).click();
  await ada.page.getByRole('menuitem', { name: 'Remove from room' }).click();
  await ada.page.getByRole('dialog').getByRole('button', { name: 'Remove from room' }).click();
  await expect(ada.page.locator('.person', { hasText: 'BEN' })).toHaveCount(0);

  ben.hop.resume();
  await ben.connected();
  await expect(ben.room('garden')).toHaveCount(0);
  await ben.joinRoom('garden');
  await expect(ben.page.getByText('Not sent', { exact: true })).toBeVisible();
  await ben.page.getByRole('button', { name: 'Retry' }).click();
  await ada.hears('Am I still here?');
  await expect(ben.page.getByText('Not sent', { exact: true })).toHaveCount(0);
  await expectSame(hub, roomId, [ada, ben], { ada: [], ben: ['Am I still here?'] });
});
