// Highlighting of code, loaded with the first code block that names a language. Gives coloured
// pieces of text, not HTML.

import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

export interface Piece {
  text: string;
  /** The class that colours it: keyword, string, number, function or comment. */
  tone: 'k' | 's' | 'n' | 'f' | 'c' | undefined;
}

const LANGUAGES = { bash, c, css, diff, go, javascript, json, python, rust, sql, typescript, xml, yaml };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

const TONES: [RegExp, Piece['tone']][] = [
  [/^(comment|quote|doctag)/, 'c'],
  [/^(string|regexp|char|addition|attr$|symbol|link)/, 's'],
  [/^(number|literal|variable\.constant)/, 'n'],
  [/^(title|section|name|selector|built_in|type)/, 'f'],
  [/^(keyword|meta|deletion|operator|tag|attribute|property)/, 'k'],
];

/** The tree that highlight.js builds before it makes HTML of it. */
interface Node {
  scope?: string;
  children?: (Node | string)[];
}

/** The pieces of `code`, or undefined where the language is not known here. */
export function highlight(code: string, language: string): Piece[] | undefined {
  if (hljs.getLanguage(language) === undefined) return undefined;
  const result = hljs.highlight(code, { language, ignoreIllegals: true });
  const tree = (result._emitter as unknown as { rootNode: Node }).rootNode;
  const pieces: Piece[] = [];
  collect(tree, undefined, pieces);
  return pieces;
}

function collect(node: Node, outer: Piece['tone'], pieces: Piece[]): void {
  const scope = node.scope ?? '';
  const tone = TONES.find(([pattern]) => pattern.test(scope))?.[1] ?? outer;
  for (const child of node.children ?? []) {
    if (typeof child === 'string') pieces.push({ text: child, tone });
    else collect(child, tone, pieces);
  }
}
