// axe finds nothing on any screen of the page as the hub serves it, light and dark, wide and phone.

import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { Api } from './api.ts';
import { expect, test } from './fixtures.ts';
import { lines } from './same.ts';

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Looks at what the page shows now in every appearance. */
async function audit(page: Page, screen: string): Promise<void> {
  for (const viewport of [WIDE, PHONE]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
      expect.soft(found, `${screen}, ${colorScheme}, ${viewport.width} px`).toEqual([]);
    }
  }
  await page.setViewportSize(WIDE);
}

test.slow();

test('a newcomer’s screens are accessible', async ({ arrive }) => {
  const ada = await arrive('ada');
  const { page } = ada;
  await audit(page, 'no rooms yet');
  await page.getByRole('button', { name: 'Create a room' }).first().click();
  await audit(page, 'create a room');
  await page.keyboard.press('Escape');
  await ada.makeRoom('garden');
  await audit(page, 'an empty room');

  const ben = await arrive('ben');
  await ben.page.getByRole('button', { name: 'Browse rooms' }).first().click();
  await expect(ben.page.getByRole('button', { name: 'Join garden' })).toBeVisible();
  await audit(ben.page, 'browse rooms');

  await ada.signOut();
  await audit(page, 'sign in');
  await page.getByRole('link', { name: 'Create an account' }).click();
  await audit(page, 'create account');
});

test('the screens of a conversation are accessible', async ({ hub, arrive }) => {
  const ada = await arrive('ada');
  const { page } = ada;
  const roomId = await ada.makeRoom('garden');
  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  const api = await Api.signIn(hub, 'ben');
  for (const text of lines('ben', 30)) await api.say(roomId, text);
  await ada.say('A [link](https://example.org), `code` and @ben');
  await ada.act('ben says 30', 'React with check');
  await ada.act('ben says 29', 'Reply');
  await audit(page, 'a conversation, replying');
  await ada.say('An answer');
  await ben.hears('An answer');

  await ada.makeRoom('attic');
  await api.say(roomId, 'Are you there, @ada?');
  await expect(ada.room('garden')).toContainText('1 mention');
  await page.reload();
  await ada.openRoom('garden');
  await expect(page.getByRole('separator', { name: /new message/ })).toBeVisible();
  await audit(page, 'what is unread');

  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox', { name: 'Room', exact: true })).toBeVisible();
  await audit(page, 'the switcher');
  await page.keyboard.press('Escape');

  ada.hop.cut();
  await ada.disconnected();
  await ada.say('For later');
  await expect(page.getByText('Waiting for the connection')).toBeVisible();
  await audit(page, 'without a connection');
});
