// What the page's tests share: opening it in a state, reaching the fake client, axe.

import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Locator, type Page } from '@playwright/test';
import type { FakeClient } from '../../src/dev/fake-client.ts';

declare global {
  interface Window {
    fake: FakeClient;
  }
}

export const WIDE = { width: 1440, height: 900 };
export const MEDIUM = { width: 1000, height: 800 };
export const PHONE = { width: 390, height: 844 };

/** Fails a test in whose page anything was logged as an error: broken code, or broken policy. */
export const test = base.extend<{ quiet: undefined }>({
  quiet: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      await use(undefined);
      expect(
        problems.filter((text) => !text.includes('status of 4')),
        'the page logs no error',
      ).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export interface Opening {
  fake?: string;
  room?: number;
  theme?: 'light' | 'dark';
  page?: number;
}

export async function open(
  page: Page,
  { fake = 'normal', room, theme = 'light', page: size }: Opening = {},
): Promise<void> {
  const query = new URLSearchParams({ fake, theme });
  if (room !== undefined) query.set('room', String(room));
  if (size !== undefined) query.set('page', String(size));
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto(`/fake.html?${query}`);
  await page.waitForFunction(() => window.fake !== undefined);
}

/** Opens a room and waits until its messages are placed. */
export async function openRoom(page: Page, opening: Opening = {}): Promise<void> {
  await open(page, { room: 1, ...opening });
  await placed(page);
}

export async function placed(page: Page): Promise<void> {
  await expect(page.getByRole('log')).toBeVisible();
}

/** Fails with what axe finds, by all its rules or by those named. */
export async function audit(page: Page, rules?: string[]): Promise<void> {
  const builder = new AxeBuilder({ page });
  if (rules) builder.withRules(rules);
  const { violations } = await builder.analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`,
  );
  expect(found).toEqual([]);
}

/** What the page asked of the client under this name. */
export function calls(page: Page, name: string): Promise<unknown[][]> {
  return page.evaluate((wanted) => window.fake.calls.filter((call) => call[0] === wanted), name);
}

/** A message by what it says. */
/** Opens a message's toolbar and presses one of its buttons. */
export async function press(message: Locator, name: string): Promise<void> {
  // The toolbar goes when the message moves away from under the pointer, as one more arrives.
  await expect(async () => {
    await message.hover({ timeout: 2_000 });
    await message.getByRole('button', { name, exact: true }).click({ timeout: 2_000 });
  }).toPass();
}

export const saying = (page: Page, text: string | RegExp) => page.locator('.message', { hasText: text });

/** Where the message stands on the screen. */
export async function topOf(page: Page, text: string): Promise<number> {
  const box = await saying(page, text).boundingBox();
  if (box === null) throw new Error(`no message says ${text}`);
  return box.y;
}
