// Talking: sending, what fails, reactions, edits, rooms and members.

import { calls, expect, open, openRoom, PHONE, press, saying, test, WIDE } from './page.ts';

test.use({ viewport: WIDE });

test('a message is sent once, and shown once from waiting to sent', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('#draft').fill('hello **there**');
  await page.keyboard.press('Enter');
  await expect(saying(page, 'hello there')).toHaveCount(1);
  await expect(page.locator('.message--pending')).toHaveCount(0);
  await expect(saying(page, 'hello there')).toHaveCount(1);
  await expect(saying(page, 'hello there').locator('strong')).toHaveText('there');
  expect(await calls(page, 'sendMessage')).toEqual([['sendMessage', 2, 'hello **there**', undefined]]);
});

test('a blank message is not sent', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('#draft').fill('   \n ');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Send' }).click({ force: true });
  expect(await calls(page, 'sendMessage')).toEqual([]);
});

test('what is too long says so and stays', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('#draft').fill('ä'.repeat(8200));
  await expect(page.getByText('16 bytes too long')).toBeVisible();
  await page.keyboard.press('Enter');
  expect(await calls(page, 'sendMessage')).toEqual([]);
});

test('without a connection messages wait, and go when it is back', async ({ page }) => {
  await openRoom(page, { fake: 'offline' });
  await expect(page.getByText('Waiting for the connection')).toHaveCount(1);
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.locator('.banner')).toHaveCount(0);
  expect(await calls(page, 'connectNow')).toHaveLength(1);
});

test('a failed message is sent again, edited or deleted', async ({ page }) => {
  await openRoom(page);
  const failed = page.locator('.message--failed');
  await page.getByText('Jump to latest').click();
  await failed.getByRole('button', { name: 'Retry' }).click();
  await expect(failed).toHaveCount(0);
  await expect(saying(page, 'arrives late, is never lost')).toHaveCount(1);
  expect(await calls(page, 'retry')).toHaveLength(1);

  await openRoom(page);
  await page.getByText('Jump to latest').click();
  await failed.getByRole('button', { name: 'Edit' }).click();
  await expect(page.locator('#draft')).toHaveValue(/arrives late, is never lost/);
  await expect(failed).toHaveCount(0);
});

test('a draft stays with its room, through a reload', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('#draft').fill('not finished');
  await page.locator('.room', { hasText: 'hiring' }).click();
  await expect(page.locator('#draft')).toHaveValue('');
  await expect(page.locator('.room', { hasText: 'general' })).toContainText('has a draft');
  await openRoom(page, { room: 2 });
  await expect(page.locator('#draft')).toHaveValue('not finished');
});

test('a reaction is put, counted and taken off', async ({ page }) => {
  await openRoom(page, { room: 2 });
  const message = page.locator('.message[data-no="40"]');
  await press(message, 'React');
  await page.getByRole('textbox', { name: 'Search emoji' }).fill('rocket');
  await page.keyboard.press('Enter');
  const reaction = message.getByRole('button', { name: '🚀, 1 person with you' });
  await expect(reaction).toHaveAttribute('aria-pressed', 'true');
  await reaction.click();
  await expect(reaction).toHaveCount(0);
});

test('a reply carries its quote; a deleted message leaves a tombstone in both places', async ({ page }) => {
  await openRoom(page, { room: 3 });
  const answered = page.locator('.message[data-no="39"]');
  await press(answered, 'Reply');
  await page.locator('#draft').fill('my answer');
  await page.keyboard.press('Enter');
  await expect(saying(page, 'my answer').locator('.quote')).toContainText('39: ');
  await press(answered, 'More');
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(answered).toContainText('This message was deleted');
  await expect(saying(page, 'my answer').locator('.quote')).toContainText('Deleted message');
});

test('one may edit one’s own messages only, and delete those of others only as a moderator', async ({
  page,
}) => {
  await openRoom(page, { room: 2 });
  const other = page.locator('.message[data-no="40"]');
  await press(other, 'More');
  await expect(page.getByRole('menuitem', { name: 'Reply' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'Edit' })).toHaveCount(0);
  await expect(page.getByRole('menuitem', { name: 'Delete' })).toHaveCount(0);
  await expect(page.getByRole('menuitem', { name: /Pin/ })).toHaveCount(0);
});

test('an edit that is refused keeps what was written', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('#draft').fill('mine');
  await page.keyboard.press('Enter');
  await expect(saying(page, 'mine')).toBeVisible();
  await page.evaluate(() => {
    window.fake.refuse = Object.assign(new Error('the message is gone'), { code: 'not_found' }) as never;
  });
  await expect(page.locator('.message--pending')).toHaveCount(0);
  await page.keyboard.press('ArrowUp');
  await page.locator('#draft').fill('changed');
  await page.keyboard.press('Enter');
  await expect(page.getByText('The message is gone.')).toBeVisible();
  await expect(page.locator('#draft')).toHaveValue('changed');
});

test('a room is made, and opened', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Create a room' }).last().click();
  await page.getByLabel('Name').fill('not ok!');
  await page.getByRole('button', { name: 'Create room' }).click();
  await expect(page.getByLabel('Name')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Name').fill('autumn-offsite');
  await page.getByText('Only people who are invited').click();
  await page.getByRole('button', { name: 'Create room' }).click();
  await expect(page.locator('h1', { hasText: 'autumn-offsite' })).toBeVisible();
  expect(await calls(page, 'createRoom')).toEqual([
    ['createRoom', 'not ok!', 'public', ''],
    ['createRoom', 'autumn-offsite', 'private', ''],
  ]);
});

test('any member invites to a public room, and moderators alone to a private one', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await expect(page.locator('.tile', { hasText: 'Settings' })).toHaveCount(0);
  await page.locator('.tile', { hasText: 'Invite' }).click();
  await page.getByLabel('Username').fill('newcomer');
  await page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click();
  await expect(page.locator('.person', { hasText: 'newcomer' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.evaluate(() => window.fake.setRole(2, 1, 'member'));
});

test('members are invited, given roles, banned and let in again', async ({ page }) => {
  await openRoom(page, { room: 3 });
  await page.locator('.tile', { hasText: 'Invite' }).click();
  await page.getByLabel('Username').fill('@newcomer');
  await page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click();
  await expect(page.locator('.person', { hasText: 'newcomer' })).toBeVisible();
  await page.locator('.person', { hasText: 'Ingrid' }).click();
  await page.getByRole('menuitem', { name: 'Make admin' }).click();
  await expect(page.locator('.person', { hasText: 'Ingrid' })).toContainText('Admin');
  await page.locator('.person', { hasText: 'Rafael' }).click();
  await page.getByRole('menuitem', { name: 'Ban from room' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Ban from room' }).click();
  await expect(page.locator('.person', { hasText: 'Rafael' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  expect(await calls(page, 'unban')).toEqual([['unban', 3, 8]]);
});

test('a member without a role over others can do nothing to them', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('.person', { hasText: 'Ingrid' }).click();
  await expect(page.getByRole('menuitem')).toHaveText(['Mention']);
});

test('leaving a room goes back to the list; being removed from one says so', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.locator('.tile', { hasText: 'Leave' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await expect(page.getByText('You left general')).toBeVisible();
  await expect(page.getByText('Choose a room')).toBeVisible();
  await page.locator('.room', { hasText: 'hiring' }).click();
  await page.evaluate(() => window.fake.removeMe(3));
  await expect(page.getByText('You are no longer a member of hiring')).toBeVisible();
});

test('new messages are spoken, paging is not', async ({ page }) => {
  await openRoom(page, { fake: 'many' });
  const announcer = page.locator('[data-announcer]');
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, -4000);
  await page.waitForTimeout(300);
  await expect(announcer).toHaveText('');
  await page.evaluate(() => window.fake.receive(1, 4, 'say this'));
  await expect(announcer).toHaveText('Ingrid Sørensen: say this');
});

test('hostile text stays text', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.evaluate(() =>
    window.fake.receive(
      2,
      4,
      '<img src=x onerror="document.title=1"> [x](javascript:alert(1)) <script>1</script>',
    ),
  );
  const message = saying(page, '<img src=x');
  await expect(message).toBeVisible();
  await expect(message.locator('img, script, a[href^="javascript"]')).toHaveCount(0);
});

test.describe('on a phone', () => {
  test.use({ viewport: PHONE, hasTouch: true });

  test('the list and the conversation are two views', async ({ page }) => {
    await open(page);
    await expect(page.locator('.room-view')).toBeHidden();
    await page.locator('.room', { hasText: 'general' }).click();
    await expect(page.locator('.rail')).toBeHidden();
    await page.goBack();
    await expect(page.locator('.rail')).toBeVisible();
    await page.locator('.room', { hasText: 'general' }).click();
    await page.getByRole('link', { name: /Back to rooms/ }).click();
    await expect(page.locator('.rail')).toBeVisible();
  });

  test('a long press opens the message’s sheet', async ({ page }) => {
    await openRoom(page, { room: 2 });
    const message = page.locator('.message[data-no="40"]');
    await message.dispatchEvent('pointerdown', { pointerType: 'touch', clientX: 100, clientY: 300 });
    await expect(page.getByRole('menu')).toBeVisible();
    const box = await page.getByRole('menu').boundingBox();
    expect(Math.round((box?.y ?? 0) + (box?.height ?? 0))).toBe(PHONE.height);
    await page.getByRole('menuitem', { name: 'heart' }).click();
    await expect(message.getByRole('button', { name: /❤️, 1 person/ })).toBeVisible();
  });

  test('nothing is wider than the screen, and targets are big enough', async ({ page }) => {
    await openRoom(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
    const small = await page
      .locator('button:visible, a.room:visible')
      .evaluateAll((all) =>
        all
          .filter((one) => !one.matches('.quote') && one.getBoundingClientRect().height < 40)
          .map((one) => one.outerHTML),
      );
    expect(small).toEqual([]);
  });
});
