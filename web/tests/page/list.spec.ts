// The list of messages: few elements for many messages, nothing moves what is read, and only what
// one has seen is read.

import type { Page } from '@playwright/test';
import { calls, expect, open, openRoom, saying, test, topOf, WIDE } from './page.ts';

test.use({ viewport: WIDE });

const rowCount = (page: Page) => page.locator('.row').count();
const log = (page: Page) => page.getByRole('log');

test('10,000 messages are a few dozen elements, from end to beginning', async ({ page }) => {
  await openRoom(page, { fake: 'many', page: 10_000 });
  await expect(saying(page, /^[^]*10000: /)).toBeVisible();
  expect(await rowCount(page)).toBeLessThan(60);
  for (const share of [0.75, 0.5, 0.25, 0]) {
    await log(page).evaluate((element, part) => {
      element.scrollTop = element.scrollHeight * part;
    }, share);
    await expect.poll(() => rowCount(page)).toBeLessThan(60);
  }
  await expect(saying(page, /^[^]*\b1: /).first()).toBeVisible();
});

test('loading earlier messages does not move what is read', async ({ page }) => {
  await openRoom(page, { fake: 'many' });
  await page.mouse.move(700, 400);
  let moved = 0;
  for (let page_ = 0; page_ < 6; page_ += 1) {
    await page.mouse.wheel(0, -900);
    await page.waitForTimeout(150);
    const first = await page.locator('.message[data-no]').evaluateAll((all) => {
      const seen = all.find((one) => one.getBoundingClientRect().top > 150);
      return seen?.querySelector('.prose')?.textContent ?? '';
    });
    const before = await topOf(page, first);
    await page.waitForTimeout(250);
    moved = Math.max(moved, Math.abs((await topOf(page, first)) - before));
  }
  expect(moved).toBeLessThanOrEqual(1);
  const oldest = await page.locator('.message[data-no]').first().getAttribute('data-no');
  expect(Number(oldest)).toBeLessThan(9_900);
});

test('new messages do not move what is read, and are counted on the way to them', async ({ page }) => {
  await openRoom(page, { fake: 'many' });
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, -1500);
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();
  await page.waitForTimeout(300);
  const first = await page
    .locator('.message[data-no]')
    .evaluateAll(
      (all) =>
        all.find((one) => one.getBoundingClientRect().top > 150)?.querySelector('.prose')?.textContent ?? '',
    );
  const before = await topOf(page, first);
  await page.evaluate(() => {
    for (let at = 0; at < 25; at += 1) window.fake.receive(1, 4, `arrived ${at}`);
  });
  await expect(page.getByRole('button', { name: '25 new' })).toBeVisible();
  expect(Math.abs((await topOf(page, first)) - before)).toBeLessThanOrEqual(1);
  await page.getByRole('button', { name: '25 new' }).click();
  await expect(saying(page, 'arrived 24')).toBeInViewport();
  await expect(page.locator('.latest')).toHaveCount(0);
  await expect(log(page)).toBeFocused();
});

test('at the end the list follows what arrives', async ({ page }) => {
  await openRoom(page, { fake: 'many' });
  for (let at = 0; at < 5; at += 1) {
    await page.evaluate((no) => window.fake.receive(1, 4, `follows ${no}\n\nwith a second line`), at);
    await expect(saying(page, `follows ${at}`)).toBeInViewport();
  }
});

test('a room opens at its first unread message', async ({ page }) => {
  await openRoom(page, { room: 7 });
  await expect(page.getByRole('separator', { name: '7 new messages' })).toBeInViewport();
});

test('a long absence opens at the first unread message and loads both ways', async ({ page }) => {
  await openRoom(page, { fake: 'many', room: 2 });
  await page.evaluate(() => {
    for (let at = 0; at < 400; at += 1) window.fake.receive(1, 4, `while away ${at}`);
  });
  await page.locator('.room', { hasText: 'delivery' }).click();
  await expect(page.getByRole('separator', { name: '400 new messages' })).toBeInViewport();
  await expect(page.locator('.message[data-no="10001"]')).toBeInViewport();
  await page.mouse.move(700, 400);
  for (let turn = 0; turn < 12; turn += 1) {
    await page.mouse.wheel(0, 4000);
    await page.waitForTimeout(120);
  }
  await expect(page.locator('.message[data-no="10400"]')).toBeInViewport();
});

test('loading the page and new messages at its end mark nothing read until one does something', async ({
  page,
}) => {
  await openRoom(page);
  await page.evaluate(() => window.fake.receive(1, 4, 'unseen'));
  await page.waitForTimeout(900);
  expect(await calls(page, 'markRead')).toEqual([]);
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, 3000);
  await expect.poll(async () => (await calls(page, 'markRead')).at(-1)).toEqual(['markRead', 1, 9]);
  await expect(page.locator('.room[aria-current] .badge')).toHaveCount(0);
});

test('a hidden tab marks nothing read', async ({ page }) => {
  await openRoom(page);
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, 3000);
  await expect.poll(async () => (await calls(page, 'markRead')).length).toBeGreaterThan(0);
  const before = (await calls(page, 'markRead')).length;
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    window.fake.receive(1, 4, 'while hidden');
  });
  await page.waitForTimeout(900);
  expect((await calls(page, 'markRead')).length).toBe(before);
  await page.evaluate(() => {
    Reflect.deleteProperty(document, 'visibilityState');
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForTimeout(900);
  expect((await calls(page, 'markRead')).length).toBe(before);
  await expect(page.getByRole('separator', { name: '1 new message' })).toBeVisible();
  await page.mouse.wheel(0, 3000);
  await expect.poll(async () => (await calls(page, 'markRead')).length).toBe(before + 1);
});

test('a quote leads to what it answers, even where that is not loaded', async ({ page }) => {
  await openRoom(page, { fake: 'many' });
  await page.evaluate(() => {
    window.fake.receive(1, 4, 'about long ago', {
      reply_to: {
        message_id: 1120,
        message_no: 120,
        user_id: 1,
        username: 'tomas',
        display_name: 'Tomás Vidal',
      },
    });
  });
  await saying(page, 'about long ago').locator('.quote').click();
  await expect(page.locator('.message[data-no="120"]')).toBeInViewport();
  await page.getByRole('button', { name: /Jump to latest/ }).click();
  await expect(saying(page, 'about long ago')).toBeInViewport();
});

test('a room whose events were skipped is loaded again', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.evaluate(() => window.fake.resetRoom(2));
  await expect(saying(page, '40: ')).toBeInViewport();
});

test('where everything fits, the day has one label, and what is there is read', async ({ page }) => {
  await open(page, { room: 2 });
  await page.evaluate(() => {
    for (const text of ['first', 'second', 'third']) window.fake.receive(5, 4, text);
  });
  await page.locator('.room', { hasText: 'reading-club' }).click();
  await expect(saying(page, 'third')).toBeInViewport();
  await expect.poll(async () => (await calls(page, 'markRead')).at(-1)).toEqual(['markRead', 5, 3]);
  await expect(page.locator('.row .day__label')).toBeVisible();
  await expect(page.locator('.day-chip')).toHaveCount(0);
});

test('in a busy room what is seen is read all the same', async ({ page }) => {
  await openRoom(page, { room: 2 });
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, 100);
  await page.evaluate(() => {
    let at = 0;
    const timer = setInterval(() => {
      at += 1;
      window.fake.receive(2, 4, `busy ${at}`);
      if (at === 100) clearInterval(timer);
    }, 50);
  });
  await expect.poll(async () => (await calls(page, 'markRead')).length, { timeout: 3500 }).toBeGreaterThan(0);
});
