// axe finds nothing on any screen, in any state, light and dark, wide, medium and phone.

import type { Page } from '@playwright/test';
import { audit, MEDIUM, open, openRoom, PHONE, test, WIDE } from './page.ts';

type Show = (page: Page, width: number) => Promise<void>;

const longPress = async (page: Page) => {
  await page
    .locator('.message', { hasText: 'On it, reading now.' })
    .dispatchEvent('pointerdown', { pointerType: 'touch', clientX: 100, clientY: 300 });
  await page.getByRole('menu').waitFor();
};

const STATES: Record<string, Show> = {
  'sign in': (page) => open(page, { fake: 'signedout' }),
  'sign in, refused': async (page) => {
    await page.route('**/api/login', (route) =>
      route.fulfill({ status: 401, json: { error: { code: 'unauthorized', message: 'no' } } }),
    );
    await open(page, { fake: 'signedout' });
    await page.getByLabel('Username').fill('mira');
    await page.getByLabel('Password', { exact: true }).fill('wrong horse');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
  },
  'create account, refused at a field': async (page) => {
    await page.route('**/api/register', (route) =>
      route.fulfill({
        status: 409,
        json: { error: { code: 'conflict', message: 'username is taken', field: 'username' } },
      }),
    );
    await open(page, { fake: 'signedout' });
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.getByLabel('Username').fill('mira');
    await page.getByLabel('Password', { exact: true }).fill('correct horse');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Username is taken.').waitFor();
  },
  'no rooms yet': (page) => open(page, { fake: 'new' }),
  'rooms, none open': (page) => open(page),
  connecting: (page) => open(page, { fake: 'connecting', room: 1 }),
  'a room': (page) => openRoom(page),
  'an empty room': (page) => open(page, { room: 5 }),
  'an empty room of one’s own': async (page) => {
    await open(page, { fake: 'new' });
    await page.evaluate(() => window.fake.createRoom('fresh', 'public', ''));
    await page.locator('.room', { hasText: 'fresh' }).click();
    await page.getByText('This is where fresh begins').waitFor();
  },
  'messages loading': (page) => open(page, { fake: 'loading', room: 1 }),
  'messages not loaded': (page) => open(page, { fake: 'error', room: 1 }),
  offline: async (page) => {
    await openRoom(page, { fake: 'offline' });
    await page.locator('.banner__text', { hasText: 'your messages will be sent' }).waitFor();
    await page.keyboard.press('Tab');
    await page.getByText('Jump to latest').click();
    await page.getByText('Waiting for the connection').waitFor();
  },
  'a message in focus': async (page) => {
    await openRoom(page);
    await page.getByRole('log').focus();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
  },
  'a message’s menu': async (page, width) => {
    await openRoom(page);
    await page.evaluate(() => window.fake.typingIn(1, []));
    await page.getByText('Jump to latest').click();
    if (width <= 640) return longPress(page);
    await page.locator('.message', { hasText: 'On it, reading now.' }).hover();
    await page.getByRole('button', { name: 'More', exact: true }).click();
  },
  'emoji picker': async (page) => {
    await openRoom(page);
    await page.getByRole('button', { name: 'Emoji' }).click();
    await page.getByText('Often used').waitFor();
  },
  'replying, with names to complete': async (page) => {
    await openRoom(page);
    await page.evaluate(() => window.fake.typingIn(1, [4]));
    await page.locator('.message', { hasText: 'Lovely catch' }).focus();
    await page.keyboard.press('r');
    await page.locator('#draft').pressSequentially('see @t');
    await page.getByRole('option', { name: /Tomás/ }).waitFor();
  },
  'details, members': async (page, width) => {
    await openRoom(page);
    if (width < 1200) await page.getByRole('button', { name: 'Room details' }).click();
    await page.getByRole('tab', { name: /Members/ }).waitFor();
  },
  'details, pinned': async (page, width) => {
    await openRoom(page);
    if (width < 1200) await page.getByRole('button', { name: 'Room details' }).click();
    await page.getByRole('tab', { name: /Pinned/ }).click();
    await page.getByRole('button', { name: /Go to the message/ }).waitFor();
  },
  'a member’s menu': async (page, width) => {
    await openRoom(page, { room: 3 });
    if (width < 1200) await page.getByRole('button', { name: 'Room details' }).click();
    await page.locator('.person', { hasText: 'Ingrid' }).click();
    await page.getByRole('menuitem', { name: 'Ban from room' }).waitFor();
  },
  'my menu': async (page) => {
    await open(page);
    await page.locator('.me').click();
  },
  'quick switcher': async (page) => {
    await open(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('de');
    await page.getByText('Rooms to join').waitFor();
  },
  'create a room, refused': async (page) => {
    await open(page);
    await page.getByRole('button', { name: 'Create a room' }).last().click();
    await page.getByLabel('Name').fill('general');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByText('Name is taken.').waitFor();
  },
  'browse rooms': async (page) => {
    await open(page);
    await page.getByRole('button', { name: 'Browse rooms' }).first().click();
    await page.getByText('bicycles').waitFor();
  },
  'room settings': async (page, width) => {
    await openRoom(page);
    if (width < 1200) await page.getByRole('button', { name: 'Room details' }).click();
    await page.locator('.tile', { hasText: 'Settings' }).click();
    await page.getByRole('dialog', { name: 'Room settings' }).waitFor();
  },
  'leave, asked': async (page, width) => {
    await openRoom(page);
    if (width < 1200) await page.getByRole('button', { name: 'Room details' }).click();
    await page.locator('.tile', { hasText: 'Leave' }).click();
    await page.getByRole('dialog', { name: /Leave/ }).waitFor();
  },
  'every kind of text, and a toast': async (page) => {
    await openRoom(page);
    await page.evaluate(() => {
      window.fake.receive(
        1,
        4,
        '# Title\n\n> quoted **bold** _it_ ~~gone~~ `code`\n\n- a\n- [x] done\n\n1. one\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\nhttps://example.org @tomas #general',
      );
      window.fake.removeMe(2);
    });
    await page
      .getByText('Jump to latest')
      .or(page.getByText(/\d new$/))
      .click();
    await page.locator('blockquote').waitFor();
  },
};

for (const [name, viewport] of Object.entries({ wide: WIDE, medium: MEDIUM, phone: PHONE })) {
  test.describe(`axe, ${name}`, () => {
    test.use({ viewport, hasTouch: name === 'phone' });
    for (const [state, show] of Object.entries(STATES)) {
      test(state, async ({ page }) => {
        await show(page, viewport.width);
        await audit(page);
        // The dark theme differs in colours only.
        await page.evaluate(() => {
          document.documentElement.dataset.theme = 'dark';
        });
        await audit(page, ['color-contrast']);
      });
    }
  });
}
