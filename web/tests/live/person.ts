// Someone at a browser: their context, their way to the hub, and what they do on the page.

import { type Browser, type BrowserContext, expect, type Locator, type Page } from '@playwright/test';
import { Hop } from './hop.ts';
import type { Hub } from './hub.ts';

export const PASSWORD = 'correct horse battery';

/** A message as the page shows it. */
export interface Shown {
  no: number;
  text: string;
}

export class Person {
  readonly problems: string[] = [];

  private constructor(
    readonly username: string,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly hop: Hop,
  ) {
    context.on('page', (page) => this.#watch(page));
    this.#watch(page);
  }

  static async arrive(browser: Browser, hub: Hub, username: string): Promise<Person> {
    const hop = await Hop.open(hub.port);
    const context = await browser.newContext({ baseURL: hop.origin, reducedMotion: 'reduce' });
    return new Person(username, context, await context.newPage(), hop);
  }

  async leave(): Promise<void> {
    await this.context.close();
    await this.hop.close();
  }

  /** Makes an account, and with it signs in. */
  async register(): Promise<void> {
    await this.page.goto('/');
    await this.page.getByRole('link', { name: 'Create an account' }).click();
    await this.page.getByLabel('Your name').fill(this.username.toUpperCase());
    await this.page.getByLabel('Username').fill(this.username);
    await this.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await this.page.getByRole('button', { name: 'Create account' }).click();
    await this.connected();
  }

  async signIn(page: Page = this.page): Promise<void> {
    await page.getByLabel('Username').fill(this.username);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await this.connected(page);
  }

  async signOut(page: Page = this.page): Promise<void> {
    await page.locator('.me').click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  }

  async connected(page: Page = this.page): Promise<void> {
    await expect(page.locator('.connection')).toHaveText('Connected', { timeout: 40_000 });
  }

  async disconnected(page: Page = this.page): Promise<void> {
    await expect(page.locator('.connection')).toHaveText('Reconnecting…', { timeout: 40_000 });
  }

  /** Makes a public room, which is then open; gives its id. */
  async makeRoom(name: string): Promise<number> {
    await this.page.getByRole('button', { name: 'Create a room' }).first().click();
    await this.page.getByLabel('Name').fill(name);
    await this.page.getByRole('button', { name: 'Create room' }).click();
    await expect(this.page.getByRole('heading', { name, level: 1, exact: true })).toBeVisible();
    return Number(new URL(this.page.url()).pathname.split('/').at(-1));
  }

  async joinRoom(name: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Browse rooms' }).first().click();
    await this.page.getByRole('button', { name: `Join ${name}` }).click();
    await expect(this.page.getByRole('heading', { name, level: 1, exact: true })).toBeVisible();
  }

  async openRoom(name: string, page: Page = this.page): Promise<void> {
    await this.room(name, page).click();
    await expect(page.getByRole('heading', { name, level: 1, exact: true })).toBeVisible();
  }

  /** The room in the list of rooms. */
  room(name: string, page: Page = this.page): Locator {
    return page.locator('.rail a.room').filter({ has: page.locator('.room__name', { hasText: name }) });
  }

  async say(text: string, page: Page = this.page): Promise<void> {
    await page.locator('#draft').fill(text);
    await page.locator('#draft').press('Enter');
  }

  message(text: string, page: Page = this.page): Locator {
    return page.locator('article.message').filter({ has: page.getByText(text, { exact: true }) });
  }

  /** Opens the toolbar of a message and presses one of its buttons. */
  async act(text: string, button: string): Promise<void> {
    // The toolbar goes when the message moves away from under the pointer, as one more arrives.
    await expect(async () => {
      await this.message(text).hover({ timeout: 2_000 });
      const pressed = this.message(text).getByRole('button', { name: button, exact: true });
      await pressed.click({ timeout: 2_000 });
    }).toPass();
  }

  async hears(text: string, page: Page = this.page): Promise<void> {
    await expect(this.message(text, page).and(page.locator('[data-no]'))).toHaveCount(1, { timeout: 40_000 });
  }

  /**
   * Every message that the page has, from the first to the last, by scrolling through the list, which
   * holds only what is in view. Fails if one is there twice, out of order or not sent.
   */
  async shown(page: Page = this.page): Promise<Shown[]> {
    const log = page.getByRole('log');
    await expect(log).toBeVisible();
    await expect(async () => {
      await log.evaluate((element) => element.scrollTo(0, 0));
      await expect(page.locator('.log__more')).toHaveCount(0, { timeout: 200 });
    }).toPass();
    const seen: Shown[] = [];
    for (;;) {
      const { rows, unsent, atEnd } = await log.evaluate(read);
      expect(unsent, 'messages that are not sent').toEqual([]);
      for (const row of rows) {
        const last = seen.at(-1);
        if (last !== undefined && row.no <= last.no) {
          expect(
            seen.find(({ no }) => no === row.no),
            'a row that was seen before',
          ).toEqual(row);
        } else seen.push(row);
      }
      if (atEnd) return seen;
      await log.evaluate((element) => element.scrollBy(0, element.clientHeight / 2));
    }
  }

  #watch(page: Page): void {
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      if (/content.security.policy|trusted ?type/i.test(text)) this.problems.push(text);
    });
  }
}

/** What the list holds now, checked for rows that are there twice or in disorder. Runs in the page. */
function read(element: Element): { rows: Shown[]; unsent: string[]; atEnd: boolean } {
  const found = [...element.querySelectorAll('.row')]
    .sort((a, b) => Number(a.getAttribute('data-index')) - Number(b.getAttribute('data-index')))
    .flatMap((row) => [...row.querySelectorAll('article.message')]);
  const text = (message: Element) => message.querySelector('.prose, .tombstone')?.textContent?.trim() ?? '';
  const rows: Shown[] = [];
  const unsent: string[] = [];
  for (const message of found) {
    const no = Number(message.getAttribute('data-no'));
    if (no === 0) unsent.push(text(message));
    else rows.push({ no, text: text(message) });
  }
  for (const [at, row] of rows.entries()) {
    if (at > 0 && row.no <= (rows[at - 1]?.no ?? 0)) throw new Error(`message ${row.no} is out of order`);
  }
  const { scrollTop, clientHeight, scrollHeight } = element;
  return { rows, unsent, atEnd: scrollTop + clientHeight >= scrollHeight - 2 };
}
