// Markdown as people write it in chat, as a small tree that components render one to one. Nothing
// of it becomes HTML text, so there is nothing to sanitise; links keep only harmless schemes.

import { Lexer, type Token, type Tokens } from 'marked';

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'strong' | 'em' | 'del'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; href: string; children: Inline[] }
  | { kind: 'mention'; username: string }
  | { kind: 'room'; name: string }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; children: Inline[]; strong: boolean }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; start: number | undefined; items: { checked: boolean | undefined; blocks: Block[] }[] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' };

/** Deeper nesting than this is shown as it was typed. */
const DEPTH_MAX = 6;
/** Quotes and lists that are nested deeper than any person does cost time that grows with depth. */
const TOO_DEEP = /^(?:\s*(?:>|[-*+]|\d+[.)])){12}/m;
const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const OPTIONS = { gfm: true, breaks: true };

export function parse(source: string): Block[] {
  try {
    if (!TOO_DEEP.test(source)) return blocks(new Lexer(OPTIONS).lex(source), 0);
  } catch {
    // What cannot be read as Markdown is shown as it is.
  }
  return [{ kind: 'paragraph', children: lines(source), strong: false }];
}

/** The text of a message on one line, without its marks: for quotes, results and titles. */
export function plain(source: string): string {
  return parse(source).map(blockText).join(' ').replace(/\s+/g, ' ').trim();
}

/** The address, if it may become a link. */
export function safeHref(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

function blocks(tokens: Token[], depth: number): Block[] {
  return tokens.flatMap((token) => block(token, depth));
}

function block(token: Token, depth: number): Block[] {
  if (depth > DEPTH_MAX) return [{ kind: 'paragraph', children: lines(token.raw), strong: false }];
  switch (token.type) {
    case 'space':
    case 'def':
      return [];
    case 'heading':
      return [{ kind: 'paragraph', children: inlines(token.tokens ?? [], depth), strong: true }];
    case 'paragraph':
    case 'text':
      return [
        {
          kind: 'paragraph',
          children: token.tokens ? inlines(token.tokens, depth) : lines(token.raw),
          strong: false,
        },
      ];
    case 'code':
      return [{ kind: 'code', language: (token.lang ?? '').trim().split(/\s/)[0] ?? '', text: token.text }];
    case 'blockquote':
      return [{ kind: 'quote', blocks: blocks(token.tokens ?? [], depth + 1) }];
    case 'list':
      return [list(token as Tokens.List, depth)];
    case 'table':
      return [table(token as Tokens.Table, depth)];
    case 'hr':
      return [{ kind: 'rule' }];
    default:
      return [{ kind: 'paragraph', children: lines(token.raw.trimEnd()), strong: false }];
  }
}

function list(token: Tokens.List, depth: number): Block {
  const start = token.ordered && typeof token.start === 'number' ? token.start : undefined;
  const items = token.items.map((item) => ({
    checked: item.task ? (item.checked ?? false) : undefined,
    blocks: blocks(
      item.tokens.filter((inner) => inner.type !== 'checkbox'),
      depth + 1,
    ),
  }));
  return { kind: 'list', start, items };
}

function table(token: Tokens.Table, depth: number): Block {
  const cell = (of: Tokens.TableCell) => inlines(of.tokens, depth);
  return { kind: 'table', head: token.header.map(cell), rows: token.rows.map((row) => row.map(cell)) };
}

function inlines(tokens: Token[], depth: number): Inline[] {
  return tokens.flatMap((token) => inline(token, depth + 1));
}

function inline(token: Token, depth: number): Inline[] {
  if (depth > DEPTH_MAX * 3) return lines(token.raw);
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, children: inlines(token.tokens ?? [], depth) }];
    case 'codespan':
      return [{ kind: 'code', text: token.text }];
    case 'br':
      return [{ kind: 'break' }];
    case 'checkbox':
      return [];
    case 'link': {
      const href = safeHref(token.href);
      if (href === undefined) return lines(token.raw);
      // A name in a link stays a name: one link inside another cannot be followed.
      return [{ kind: 'link', href, children: unlinked(inlines(token.tokens ?? [], depth)) }];
    }
    case 'image': {
      const href = safeHref(token.href);
      if (href === undefined) return lines(token.raw);
      return [{ kind: 'link', href, children: [{ kind: 'text', text: token.text || href }] }];
    }
    case 'escape':
      return [{ kind: 'text', text: token.text }];
    case 'text':
      return token.tokens ? inlines(token.tokens, depth) : lines(token.text);
    default:
      return lines(token.raw);
  }
}

function unlinked(children: Inline[]): Inline[] {
  return children.map((child): Inline => {
    if (child.kind === 'mention') return { kind: 'text', text: `@${child.username}` };
    if (child.kind === 'room') return { kind: 'text', text: `#${child.name}` };
    return child;
  });
}

/** Text with its line breaks, names and rooms. */
function lines(text: string): Inline[] {
  return text.split('\n').flatMap((line, at): Inline[] => {
    const names = mentions(line);
    return at === 0 ? names : [{ kind: 'break' }, ...names];
  });
}

/** `@name` as protocol::validate::mentions reads it, and `#room`. */
const NAMES = /(?<![\p{L}\p{N}@#&/])(?:@([A-Za-z0-9][A-Za-z0-9._-]*)|#([\p{L}\p{N}_-]+))/gu;

function mentions(text: string): Inline[] {
  const found: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(NAMES)) {
    const username = match[1]?.replace(/[._-]+$/, '');
    const length = username === undefined ? match[0].length : username.length + 1;
    if (match.index > end) found.push({ kind: 'text', text: text.slice(end, match.index) });
    found.push(
      username === undefined
        ? { kind: 'room', name: (match[2] ?? '').toLowerCase() }
        : { kind: 'mention', username: username.toLowerCase() },
    );
    end = match.index + length;
  }
  if (end < text.length) found.push({ kind: 'text', text: text.slice(end) });
  return found;
}

function blockText(node: Block): string {
  switch (node.kind) {
    case 'paragraph':
      return node.children.map(inlineText).join('');
    case 'code':
      return node.text;
    case 'quote':
      return node.blocks.map(blockText).join(' ');
    case 'list':
      return node.items.map((item) => item.blocks.map(blockText).join(' ')).join(' ');
    case 'table':
      return [node.head, ...node.rows]
        .flat()
        .map((cell) => cell.map(inlineText).join(''))
        .join(' ');
    case 'rule':
      return '';
  }
}

function inlineText(node: Inline): string {
  switch (node.kind) {
    case 'text':
    case 'code':
      return node.text;
    case 'mention':
      return `@${node.username}`;
    case 'room':
      return `#${node.name}`;
    case 'break':
      return ' ';
    default:
      return node.children.map(inlineText).join('');
  }
}
