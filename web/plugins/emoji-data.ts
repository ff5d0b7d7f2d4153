// Distils emoji-picker-element-data to what the picker shows: `virtual:emoji-data` is a list of
// groups, each a list of [emoji, name, search words]. Self-hosted, loaded when a picker opens.

import { createRequire } from 'node:module';
import type { Plugin } from 'vite';

interface Entry {
  emoji: string;
  annotation: string;
  tags?: string[];
  shortcodes?: string[];
  group: number;
  order: number;
  version: number;
}

const ID = 'virtual:emoji-data';
/** Newer emoji are boxes on many machines. */
const VERSION_MAX = 14;
/** Emojibase's group of skin-tone swatches. */
const COMPONENTS = 2;

export function emojiData(): Plugin {
  return {
    name: 'emoji-data',
    resolveId: (id) => (id === ID ? `\0${ID}` : undefined),
    load(id) {
      if (id !== `\0${ID}`) return undefined;
      const require = createRequire(import.meta.url);
      const all: Entry[] = require('emoji-picker-element-data/en/emojibase/data.json');
      const groups: [string, string, string][][] = [];
      for (const entry of all.toSorted((a, b) => a.order - b.order)) {
        if (entry.version > VERSION_MAX || entry.group === COMPONENTS) continue;
        const words = new Set([...(entry.tags ?? []), ...(entry.shortcodes ?? [])]);
        groups[entry.group] ??= [];
        groups[entry.group]?.push([entry.emoji, entry.annotation, [...words].join(' ')]);
      }
      const compact = groups.filter(Boolean);
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(compact))});`;
    },
  };
}
