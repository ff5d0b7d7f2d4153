// Everything can be done by keys, and the focus is where one expects it.

import { calls, expect, MEDIUM, open, openRoom, saying, test, WIDE } from './page.ts';

test.use({ viewport: WIDE });

test('F6 goes round rooms, messages, composer and details, Shift+F6 back', async ({ page }) => {
  await openRoom(page);
  const region = () =>
    page.evaluate(() =>
      ['rail', 'stage', 'compose', 'details'].find((name) => document.activeElement?.closest(`.${name}`)),
    );
  await expect(page.locator('#draft')).toBeFocused();
  const seen: (string | undefined)[] = [];
  for (let press = 0; press < 4; press += 1) {
    await page.keyboard.press('F6');
    seen.push(await region());
  }
  expect(seen).toEqual(['details', 'rail', 'stage', 'compose']);
  await page.keyboard.press('Shift+F6');
  expect(await region()).toBe('stage');
});

test('the skip link comes first and leads to the conversation', async ({ page }) => {
  await open(page, { fake: 'normal' });
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the conversation' });
  await expect(skip).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#conversation')).toBeFocused();
});

test('Ctrl+K finds a room by a few letters, Enter opens it, Esc gives the focus back', async ({ page }) => {
  await openRoom(page);
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.locator('#draft')).toBeFocused();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('rel');
  await page.keyboard.press('Enter');
  await expect(page.locator('h1', { hasText: 'release-notes' })).toBeVisible();
});

test('Ctrl+K joins a public room and makes one of the name typed', async ({ page }) => {
  await open(page);
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('bicy');
  await page.getByRole('option', { name: /bicycles/ }).waitFor();
  await page.keyboard.press('Enter');
  await expect(page.locator('h1', { hasText: 'bicycles' })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('brand-new');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Name')).toHaveValue('brand-new');
});

test('Alt+↓ and Alt+↑ go through the rooms in their order', async ({ page }) => {
  await open(page, { room: 2 });
  await page.keyboard.press('Alt+ArrowDown');
  await expect(page.locator('h1', { hasText: 'hiring' })).toBeVisible();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(page.locator('h1', { hasText: 'general' })).toBeVisible();
});

test('↑ in an empty field edits the last own message, Enter saves, Esc takes back', async ({ page }) => {
  await openRoom(page, { fake: 'many', room: 2 });
  await page.locator('#draft').fill('first try');
  await page.keyboard.press('Enter');
  await expect(saying(page, 'first try')).toBeVisible();
  await expect(page.locator('#draft')).toHaveValue('');
  await expect(page.locator('.message--pending')).toHaveCount(0);
  await page.keyboard.press('ArrowUp');
  await expect(page.getByText('Editing your message')).toBeVisible();
  await expect(page.locator('#draft')).toHaveValue('first try');
  await page.keyboard.press('Escape');
  await expect(page.locator('#draft')).toHaveValue('');
  await page.keyboard.press('ArrowUp');
  await page.locator('#draft').fill('second try');
  await page.keyboard.press('Enter');
  await expect(saying(page, 'second try')).toContainText('(edited)');
  expect(await calls(page, 'editMessage')).toHaveLength(1);
});

test('↑ leaves a draft alone', async ({ page }) => {
  await openRoom(page);
  await page.locator('#draft').fill('a draft');
  await page.keyboard.press('ArrowUp');
  await expect(page.locator('#draft')).toHaveValue('a draft');
  await expect(page.getByText('Editing your message')).toHaveCount(0);
});

test('Shift+Enter breaks the line, the field grows to eight lines and then scrolls', async ({ page }) => {
  await openRoom(page);
  const field = page.locator('#draft');
  for (let line = 1; line <= 12; line += 1) {
    await field.pressSequentially(`line ${line}`);
    await page.keyboard.press('Shift+Enter');
  }
  await expect(field).toHaveJSProperty('rows', 8);
  expect(await calls(page, 'sendMessage')).toHaveLength(0);
});

test('arrows walk the messages, and letters act on the one in focus', async ({ page }) => {
  await openRoom(page, { fake: 'offline' });
  await page.getByRole('log').focus();
  for (let press = 0; press < 3; press += 1) await page.keyboard.press('ArrowUp');
  await expect(saying(page, 'On it, reading now.')).toBeFocused();
  await page.keyboard.press('r');
  await expect(page.getByText('Replying to Mira Okafor')).toBeVisible();
  await expect(page.locator('#draft')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByText('Replying to')).toHaveCount(0);
  await saying(page, 'On it, reading now.').focus();
  await page.keyboard.press('Delete');
  await expect(page.getByRole('dialog', { name: 'Delete this message?' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(saying(page, 'On it, reading now.')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.locator('#draft')).toBeFocused();
});

test('Esc closes the topmost thing only', async ({ page }) => {
  await page.setViewportSize(MEDIUM);
  await openRoom(page);
  await page.getByRole('button', { name: 'Room details' }).click();
  await expect(page.getByRole('button', { name: 'Close details' })).toBeFocused();
  await page.locator('.tile', { hasText: 'Invite' }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.locator('.details')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.locator('.details')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Room details' })).toBeFocused();
});

test('names are completed by arrows and Enter', async ({ page }) => {
  await openRoom(page);
  await page.locator('#draft').pressSequentially('hi @a');
  await expect(page.getByRole('option')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(page.locator('#draft')).toHaveValue('hi @amara ');
  await page.locator('#draft').pressSequentially('@');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('option')).toHaveCount(0);
  expect(await calls(page, 'sendMessage')).toHaveLength(0);
});

test('a menu is walked by arrows and gives the focus back', async ({ page }) => {
  await openRoom(page);
  const me = page.locator('.me');
  await me.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitemradio', { name: 'As the system' })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(me).toBeFocused();
});
