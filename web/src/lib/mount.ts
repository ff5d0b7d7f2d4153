// Puts the page on the screen around a client.

import { mount } from 'svelte';
import App from './App.svelte';
import type { ChatClient } from './client/interface';
import { Session } from './state/session.svelte';
import { theme } from './state/theme.svelte';

export function show(client: ChatClient): Session {
  theme.restore();
  const session = new Session(client);
  const target = document.querySelector('#app');
  if (target === null) throw new Error('the page has no #app');
  mount(App, { target, props: { session } });
  void session.start();
  return session;
}
