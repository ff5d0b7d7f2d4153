// Light, dark, or as the system has it. The choice is kept.

import { read, write } from './storage';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'hubbub.theme';

class ThemeChoice {
  #value = $state<Theme>('system');

  get value(): Theme {
    return this.#value;
  }

  set value(theme: Theme) {
    this.#value = theme;
    write(KEY, theme === 'system' ? undefined : theme);
    this.#show();
  }

  restore(): void {
    const kept = read(KEY);
    this.#value = kept === 'light' || kept === 'dark' ? kept : 'system';
    this.#show();
  }

  #show(): void {
    const root = document.documentElement;
    if (this.#value === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.#value;
  }
}

export const theme = new ThemeChoice();
