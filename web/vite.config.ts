import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { emojiData } from './plugins/emoji-data.ts';
import { precompress } from './plugins/precompress.ts';

/** Where `npm run dev` finds the hub's API and socket. */
const HUB = process.env.HUBBUB_HUB ?? 'http://127.0.0.1:8080';

/** What the hub sends with every response; the page's tests run under it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types svelte-trusted-html hub-worker',
].join('; ');

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), emojiData(), precompress()],
  build: {
    target: 'es2022',
    // No inline script and no data: URI, so that the content security policy can stay strict.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // `--mode fake` builds the page on the fake client, for its tests; it never goes into dist.
    ...(mode === 'fake' ? { outDir: 'test-results/fake', rollupOptions: { input: 'fake.html' } } : {}),
  },
  worker: { format: 'es' },
  server: {
    proxy: { '/api': HUB, '/health': HUB, '/ws': { target: HUB, ws: true } },
  },
  preview: { headers: { 'content-security-policy': CONTENT_SECURITY_POLICY } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
}));
