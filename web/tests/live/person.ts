// Someone at a browser: their context, their way to the hub, and what they do on the page.

import { type Browser, type BrowserContext, expect, type Locator, type Page } from '@playwright/test';
import { Hop } from './hop.ts';
import type { Front } from './hub.ts';

export const PASSWORD = 'correct horse battery';

/** A message as the page shows it. */
export interface Shown {
  no: number;
  text: string;
}

/** A row of the list and the messages in it. */
interface Row {
  place: number;
  messages: Shown[];
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

  static async arrive(browser: Browser, hub: Front, username: string): Promise<Person> {
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
    // By their place in the list: a row that the list had not drawn yet is looked for again, one that
    // it does not have leaves no place.
    const seen = new Map<number, Shown[]>();
    await expect(async () => {
      await log.evaluate((element) => element.scrollTo(0, 0));
      for (;;) {
        const { rows, unsent, atEnd } = await log.evaluate(read);
        expect(unsent, 'messages that are not sent').toEqual([]);
        for (const { place, messages } of rows) seen.set(place, messages);
        if (atEnd) break;
        await log.evaluate((element) => element.scrollBy(0, element.clientHeight / 2));
      }
      expect([...seen.keys()].toSorted((a, b) => a - b)).toEqual(Array.from(seen, (_, at) => at));
    }).toPass({ timeout: 20_000 });
    const shown = [...seen].toSorted(([a], [b]) => a - b).flatMap(([, messages]) => messages);
    for (const [at, { no }] of shown.entries()) {
      if (at > 0) expect(no, 'a message after the one before it').toBeGreaterThan(shown[at - 1]?.no ?? 0);
    }
    return shown;
  }

  #watch(page: Page): void {
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      if (/content.security.policy|trusted ?type/i.test(text)) this.problems.push(text);
    });
  }
}

/** What the list holds once it has drawn where it was scrolled to. Runs in the page. */
async function read(element: Element): Promise<{ rows: Row[]; unsent: string[]; atEnd: boolean }> {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  const text = (message: Element) => message.querySelector('.prose, .tombstone')?.textContent?.trim() ?? '';
  const rows: Row[] = [];
  const unsent: string[] = [];
  for (const row of element.querySelectorAll('.row')) {
    const messages: Shown[] = [];
    for (const message of row.querySelectorAll('article.message')) {
      const no = Number(message.getAttribute('data-no'));
      if (no === 0) unsent.push(text(message));
      else messages.push({ no, text: text(message) });
    }
    rows.push({ place: Number(row.getAttribute('data-index')), messages });
  }
  const { scrollTop, clientHeight, scrollHeight } = element;
  return { rows, unsent, atEnd: scrollTop + clientHeight >= scrollHeight - 2 };
}
