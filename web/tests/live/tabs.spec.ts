// All tabs of a browser are one client: one connection, one login, one outbox.

import { expect, test } from './fixtures.ts';
import { Person } from './person.ts';
import { expectSame, lines } from './same.ts';
import { inWorker, workerCount } from './worker.ts';

test('two tabs share one connection, and both show everything', async ({ browser, hub, arrive }) => {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  const second = await ben.context.newPage();
  await second.goto(`/rooms/${roomId}`);
  await ben.connected(second);

  await ada.say('To both');
  for (const page of [ben.page, second]) await ben.hears('To both', page);
  await ben.say('From the first');
  await ben.hears('From the first', second);
  await ben.say('From the second', second);
  await ben.hears('From the second', ben.page);
  expect(ben.hop.webSocketsOpened).toBe(1);
  expect(await workerCount(browser, ben.hop)).toBe(1);

  await ben.page.close();
  await ben.say('The first is gone', second);
  await ada.hears('The first is gone');
  expect(ben.hop.webSocketsOpened).toBe(1);
  const all = ['From the first', 'From the second', 'The first is gone'];
  await expectSame(hub, roomId, [ada], { ada: ['To both'], ben: all });
  expect((await ben.shown(second)).map(({ text }) => text)).toEqual(['To both', ...all]);
});

test('signing out in one tab signs all out and leaves nothing behind', async ({ hub, arrive }) => {
  const ada = await arrive('ada');
  await ada.makeRoom('diary');
  await ada.say('Nobody may read this');
  await ada.hears('Nobody may read this');
  const second = await ada.context.newPage();
  await second.goto('/');
  await ada.connected(second);
  const login = await kept(ada, 'login');
  expect(login).toHaveLength(1);

  await ada.signOut();
  await expect(second.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  for (const store of ['login', 'outbox', 'session'] as const) expect(await kept(ada, store)).toEqual([]);
  const { refresh_token } = login[0] as { refresh_token: string };
  const refresh = await fetch(`http://127.0.0.1:${hub.port}/api/refresh`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token }),
  });
  expect(refresh.status).toBe(401);

  await ada.page.reload();
  await expect(ada.page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  await second.getByRole('link', { name: 'Create an account' }).click();
  await second.getByLabel('Username').fill('eve');
  await second.getByLabel('Password', { exact: true }).fill('another good password');
  await second.getByRole('button', { name: 'Create account' }).click();
  await ada.connected(second);
  await expect(second.getByText('No rooms yet')).toBeVisible();
  await expect(second.getByText('diary')).toHaveCount(0);
});

test.describe('with tokens that do not last', () => {
  test.use({ settings: { ACCESS_TOKEN_LIFETIME: '15s' } });

  test('a login is kept over a visit, and its tokens are renewed on a live connection', async ({
    arrive,
  }) => {
    const ada = await arrive('ada');
    const before = await kept(ada, 'login');
    await expect(async () => expect(await kept(ada, 'login')).not.toEqual(before)).toPass();
    await ada.makeRoom('garden');
    await ada.say('With the second token');
    await ada.hears('With the second token');
    expect(ada.hop.webSocketsOpened).toBe(1);

    await ada.page.close();
    const later = await ada.context.newPage();
    await later.goto('/');
    await ada.connected(later);
    await expect(ada.room('garden', later)).toBeVisible();
  });
});

test('a client core that fails is replaced, and nothing is lost by it', async ({ browser, hub, arrive }) => {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  const second = await ben.context.newPage();
  await second.goto(`/rooms/${roomId}`);
  await ben.connected(second);
  await ben.say('ben says 1');
  await ben.hears('ben says 1', second);

  ben.hop.cut();
  await ben.disconnected();
  for (const text of lines('ben', 2, 2)) await ben.say(text);
  await ada.say('ada says 1');
  await inWorker(
    browser,
    ben.hop,
    'setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); })',
  );
  await ben.say('ben says 4');
  ben.hop.resume();

  for (const page of [ben.page, second]) {
    await ben.connected(page);
    await ben.hears('ada says 1', page);
    await ben.hears('ben says 4', page);
  }
  expect(await workerCount(browser, ben.hop)).toBe(1);
  await ada.hears('ben says 4');
  await expectSame(hub, roomId, [ada, ben], { ada: ['ada says 1'], ben: lines('ben', 4) });
  expect(await ben.shown(second)).toEqual(await ben.shown());
});

test('without SharedWorker each tab is a client, and what a closed one left is sent by another', async ({
  browser,
  hub,
  arrive,
}) => {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await Person.arrive(browser, hub, 'ben');
  await ben.context.addInitScript('delete globalThis.SharedWorker');
  await ben.register();
  await ben.joinRoom('garden');
  const second = await ben.context.newPage();
  await second.goto(`/rooms/${roomId}`);
  await ben.connected(second);
  expect(ben.hop.webSocketsOpen).toBe(2);
  await ben.say('ben says 1');
  await ben.hears('ben says 1', second);

  ben.hop.cut();
  await ben.disconnected(second);
  await ben.say('ben says 2', second);
  await expect(second.getByText('Waiting for the connection')).toHaveCount(1);
  await second.close();
  ben.hop.resume();
  await ben.page.reload();
  await ada.hears('ben says 2');
  await expectSame(hub, roomId, [ada, ben], { ada: [], ben: lines('ben', 2) });
  expect(ben.problems).toEqual([]);
  await ben.leave();
});

/** What a store of the client's database holds. */
function kept(person: Person, store: 'login' | 'outbox' | 'session'): Promise<unknown[]> {
  return person.page.evaluate(
    (name) =>
      new Promise<unknown[]>((resolve, reject) => {
        const open = indexedDB.open('hubbub');
        open.onerror = () => reject(open.error);
        open.onsuccess = () => {
          const all = open.result.transaction(name).objectStore(name).getAll();
          all.onerror = () => reject(all.error);
          all.onsuccess = () => {
            open.result.close();
            resolve(all.result);
          };
        };
      }),
    store,
  );
}
