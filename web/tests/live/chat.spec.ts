// Two people talk: everything that one does, the other sees at once.

import { Api } from './api.ts';
import { expect, test } from './fixtures.ts';
import { expectSame, lines } from './same.ts';

test('two people register, meet in a room and talk both ways', async ({ hub, arrive }) => {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');

  await ada.say('Good morning');
  await ben.hears('Good morning');
  await ben.say('And to you');
  await ada.hears('And to you');

  await expectSame(hub, roomId, [ada, ben], { ada: ['Good morning'], ben: ['And to you'] });
});

test('edits, deletions, reactions and replies reach the other at once', async ({ arrive }) => {
  const ada = await arrive('ada');
  await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  await ada.say('Tea at for');
  await ada.say('Forget this');
  await ben.hears('Forget this');

  await ada.act('Tea at for', 'Edit');
  await ada.say('Tea at four');
  await expect(ben.message('(edited)')).toContainText('Tea at four');

  await ada.act('Forget this', 'More');
  await ada.page.getByRole('menuitem', { name: 'Delete' }).click();
  await ada.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  for (const person of [ada, ben]) {
    await expect(person.message('This message was deleted')).toBeVisible();
    await expect(person.message('Forget this')).toHaveCount(0);
  }

  await ben.act('Tea at four (edited)', 'React with check');
  const reaction = ada.page.getByRole('button', { name: '✅, 1 person' });
  await expect(reaction).toHaveAttribute('aria-pressed', 'false');
  await reaction.click();
  await expect(ben.page.getByRole('button', { name: '✅, 2 people with you' })).toBeVisible();
  await ben.page.getByRole('button', { name: '✅, 2 people with you' }).click();
  await expect(ada.page.getByRole('button', { name: '✅, 1 person with you' })).toBeVisible();

  await ben.act('Tea at four (edited)', 'Reply');
  await ben.say('I will be there');
  await expect(ada.message('I will be there').locator('.quote')).toContainText('Tea at four');
});

test('what is unread is counted, here and after a reload, until it is read', async ({ arrive }) => {
  const ada = await arrive('ada');
  await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  await ben.makeRoom('attic');

  await ada.say('one');
  await ada.say('two');
  await expect(ben.room('garden')).toContainText('2 unread');
  await ada.say('@ben, three');
  await expect(ben.room('garden')).toContainText('1 mention');
  await expect(ada.room('garden')).not.toContainText('unread');

  await ben.page.reload();
  await expect(ben.room('garden')).toContainText('1 mention');

  await ben.openRoom('garden');
  await expect(ben.page.getByRole('separator', { name: '3 new messages' })).toBeVisible();
  await expect(ben.room('garden')).not.toContainText(/unread|mention/);
  await ben.openRoom('attic');
  await ben.page.reload();
  await expect(ben.room('garden')).toBeVisible();
  await expect(ben.room('garden')).not.toContainText(/unread|mention/);
});

test('a reload shows the whole room again, page by page', async ({ hub, arrive }) => {
  const ada = await arrive('ada');
  const roomId = await ada.makeRoom('garden');
  const api = await Api.signIn(hub, 'ada');
  const said = lines('ada', 150);
  for (const text of said) await api.say(roomId, text);
  const ben = await arrive('ben');
  await ben.joinRoom('garden');

  await expectSame(hub, roomId, [ada, ben], { ada: said });
  for (const person of [ada, ben]) await person.page.reload();
  await expectSame(hub, roomId, [ada, ben], { ada: said });
});
