import { defineConfig } from '@playwright/test';

/** Where the page on the fake client is served. */
const PAGE_PORT = Number(process.env.HUBBUB_PAGE_PORT ?? 4179);

/** The tests of page and hub together have what they need; only the page's own need a server. */
const LIVE_ONLY = /--project[= ](live|compose)/.test(process.argv.join(' '));

export default defineConfig({
  outputDir: 'test-results/output',
  reporter: [['./tests/reporter.ts']],
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  timeout: 60_000,
  use: {
    launchOptions: {
      executablePath: process.env.HUBBUB_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  webServer: LIVE_ONLY
    ? []
    : {
        command: `npx vite build --mode fake && npx vite preview --mode fake --host 127.0.0.1 --port ${PAGE_PORT} --strictPort`,
        url: `http://127.0.0.1:${PAGE_PORT}/fake.html`,
        timeout: 60_000,
      },
  projects: [
    { name: 'page', testDir: 'tests/page', use: { baseURL: `http://127.0.0.1:${PAGE_PORT}` } },
    {
      name: 'live',
      testDir: 'tests/live',
      // A hub starts, hashes passwords and is killed within a test, two at a time on few cores.
      timeout: 180_000,
      expect: { timeout: 15_000 },
      use: { screenshot: 'only-on-failure', actionTimeout: 30_000 },
    },
    {
      // Against the cluster that `cargo xtask compose-test` started.
      name: 'compose',
      testDir: 'tests/compose',
      timeout: 300_000,
      expect: { timeout: 15_000 },
      use: { screenshot: 'only-on-failure', actionTimeout: 30_000 },
    },
  ],
});
