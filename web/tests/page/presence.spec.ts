// Who is online: shown and watched with the members, and not beyond that.

import type { Page } from '@playwright/test';
import { audit, calls, expect, MEDIUM, openRoom, test, WIDE } from './page.ts';

const group = (page: Page, name: string) => page.getByRole('list', { name });

test.describe('wide', () => {
  test.use({ viewport: WIDE });

  test('the members are told apart by words and by shape, and follow the hub', async ({ page }) => {
    await openRoom(page);
    await expect(group(page, 'Online, 6').getByRole('listitem')).toHaveCount(6);
    await expect(group(page, 'Offline, 3').getByRole('listitem')).toHaveCount(3);
    await expect(group(page, 'Online, 6')).toContainText('Jun Park');
    await expect(group(page, 'Online, 6').locator('.presence--offline')).toHaveCount(0);
    await expect(group(page, 'Offline, 3').locator('.presence--offline')).toHaveCount(3);

    await page.evaluate(() => window.fake.onlineIn(1, [2, 3, 7]));
    await expect(group(page, 'Online, 3')).toContainText('Petra Lindqvist');
    await expect(group(page, 'Offline, 6')).toContainText('Amara Nwosu');

    await page.evaluate(() => window.fake.kick(1, 2));
    await expect(group(page, 'Online, 2')).not.toContainText('Jun Park');
  });

  test('of a large room only some are known, and nobody is called offline', async ({ page }) => {
    await openRoom(page);
    await page.evaluate(() => window.fake.onlineIn(1, [2, 3], true));
    await expect(group(page, 'Online, 2').locator('.presence')).toHaveCount(2);
    await expect(group(page, 'Others, 7').locator('.presence')).toHaveCount(0);
  });

  test('it is watched as long as the members are shown', async ({ page }) => {
    await openRoom(page);
    await expect(group(page, 'Online, 6')).toBeVisible();
    expect(await calls(page, 'watchPresence')).toEqual([['watchPresence', 1]]);
    await page.getByRole('tab', { name: /Pinned/ }).click();
    expect(await calls(page, 'unwatchPresence')).toEqual([['unwatchPresence', 1]]);
    await page.getByRole('tab', { name: /Members/ }).click();
    await expect(group(page, 'Online, 6')).toBeVisible();

    await page.locator('.rail a.room', { hasText: 'general' }).click();
    await expect(page.getByRole('heading', { name: 'general', level: 1 })).toBeVisible();
    await expect(group(page, 'Online, 6')).toBeVisible();
    expect((await calls(page, 'watchPresence')).at(-1)).toEqual(['watchPresence', 2]);
    expect((await calls(page, 'unwatchPresence')).at(-1)).toEqual(['unwatchPresence', 1]);

    await page.getByRole('button', { name: 'Close details' }).click();
    expect((await calls(page, 'unwatchPresence')).at(-1)).toEqual(['unwatchPresence', 2]);
  });

  test('without a connection what was known last fades to rings', async ({ page }) => {
    await openRoom(page);
    await expect(group(page, 'Online, 6').locator('.presence--old')).toHaveCount(0);
    await page.evaluate(() =>
      window.fake.setConnection({ state: 'offline', attempt: 1, retry_in_ms: 4_000 }),
    );
    await expect(group(page, 'Last seen online, 6').locator('.presence--old')).toHaveCount(6);
    await page.evaluate(() => window.fake.connectNow());
    await expect(group(page, 'Online, 6').locator('.presence--old')).toHaveCount(0);
  });

  test('who says something goes on watching', async ({ page }) => {
    await openRoom(page);
    await expect(group(page, 'Online, 6')).toBeVisible();
    const before = await calls(page, 'watchPresence');
    await page.getByRole('textbox', { name: 'Message' }).fill('still here');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('log').getByText('still here')).toBeVisible();
    expect(await calls(page, 'watchPresence')).toEqual(before);
    expect(await calls(page, 'unwatchPresence')).toEqual([]);
  });

  for (const theme of ['light', 'dark'] as const) {
    test(`axe finds nothing, ${theme}`, async ({ page }) => {
      await openRoom(page, { theme });
      await expect(group(page, 'Offline, 3')).toBeVisible();
      await audit(page);
    });
  }
});

test.describe('medium', () => {
  test.use({ viewport: MEDIUM });

  test('with the details closed nothing is watched', async ({ page }) => {
    await openRoom(page);
    expect(await calls(page, 'watchPresence')).toEqual([]);
    await page.getByRole('button', { name: 'Room details' }).click();
    await expect(group(page, 'Online, 6')).toBeVisible();
    expect(await calls(page, 'watchPresence')).toEqual([['watchPresence', 1]]);
  });
});
