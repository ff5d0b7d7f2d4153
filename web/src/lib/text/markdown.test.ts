import { describe, expect, it } from 'vitest';
import { parse, plain, safeHref } from './markdown';

const inline = (source: string) => {
  const first = parse(source)[0];
  return first?.kind === 'paragraph' ? first.children : [];
};

describe('markdown', () => {
  it('reads marks, code, lists and quotes', () => {
    expect(inline('**b** _i_ `c` ~~d~~').map((node) => node.kind)).toEqual([
      'strong',
      'text',
      'em',
      'text',
      'code',
      'text',
      'del',
    ]);
    expect(parse('```rust\nfn a() {}\n```')).toEqual([{ kind: 'code', language: 'rust', text: 'fn a() {}' }]);
    expect(parse('3. a\n4. b')[0]).toMatchObject({ kind: 'list', start: 3 });
    expect(parse('- [x] done')[0]).toMatchObject({ kind: 'list', items: [{ checked: true }] });
    expect(parse('> said')[0]).toMatchObject({ kind: 'quote' });
  });

  it('keeps line breaks', () => {
    expect(inline('a\nb').map((node) => node.kind)).toEqual(['text', 'break', 'text']);
  });

  it('shows HTML as text', () => {
    expect(plain('<img src=x onerror=alert(1)> & <b>bold</b>')).toBe(
      '<img src=x onerror=alert(1)> & <b>bold</b>',
    );
    expect(plain('<script>alert(1)</script>')).toBe('<script>alert(1)</script>');
    expect(plain('a < b && "c"')).toBe('a < b && "c"');
  });

  it('links only harmless schemes', () => {
    expect(inline('[x](https://a.example/)')[0]).toMatchObject({ kind: 'link', href: 'https://a.example/' });
    for (const bad of [
      'javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      '/relative',
    ]) {
      expect(safeHref(bad), bad).toBeUndefined();
      expect(
        inline(`[x](${bad})`).some((node) => node.kind === 'link'),
        bad,
      ).toBe(false);
    }
    expect(inline('![pic](https://a.example/p.png)')[0]).toMatchObject({ kind: 'link' });
    expect(inline('see https://a.example/x').at(-1)).toMatchObject({ kind: 'link' });
  });

  it('finds names and rooms where they are, and not in code, links or addresses', () => {
    expect(inline('@mira, see #design.')).toEqual([
      { kind: 'mention', username: 'mira' },
      { kind: 'text', text: ', see ' },
      { kind: 'room', name: 'design' },
      { kind: 'text', text: '.' },
    ]);
    expect(inline('@a.b.')).toEqual([
      { kind: 'mention', username: 'a.b' },
      { kind: 'text', text: '.' },
    ]);
    expect(inline('`@mira`').map((node) => node.kind)).toEqual(['code']);
    expect(inline('x@mira').some((node) => node.kind === 'mention')).toBe(false);
    expect(JSON.stringify(inline('[@mira](https://a.example)'))).not.toContain('mention');
  });

  it('gives what is nested beyond reason as text, quickly', () => {
    const start = performance.now();
    for (const hostile of [
      '>'.repeat(16_000),
      '- '.repeat(8000),
      '*'.repeat(16_000),
      '['.repeat(16_000),
      '`'.repeat(16_000),
    ]) {
      expect(parse(hostile).length).toBeGreaterThan(0);
    }
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('makes one line of a message', () => {
    expect(plain('# Title\n\n- a\n- **b**\n\n```js\nx\n```')).toBe('Title a b x');
  });
});
