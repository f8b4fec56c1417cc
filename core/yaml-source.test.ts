import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '#core/errors.ts';
import { kubernetesYaml } from '#core/yaml-kubernetes.ts';
import { MAX_FILE_CHARACTERS, parseYamlDocuments } from '#core/yaml-source.ts';

function values(text: string): unknown[] {
  return parseYamlDocuments('f.yaml', text).documents.map((document) => document.value);
}

function problems(text: string): string[] {
  return parseYamlDocuments('f.yaml', text).problems.map(formatProblem);
}

/** Some of which YAML would take for something else, were they not quoted. */
const KEY = fc.oneof(fc.string(), fc.constantFrom('<<', 'yes', '0644', 'null', '~', '1e3'));

describe('values', () => {
  it.each([
    { name: 'skips empty documents', text: '---\n---\n# c\n---\na: 1\n...\n', values: [{ a: 1 }] },
    { name: 'reads YAML 1.2: yes is text', text: 'a: yes', values: [{ a: 'yes' }] },
    { name: 'ignores a %YAML 1.1 directive', text: '%YAML 1.1\n---\na: on', values: [{ a: 'on' }] },
    {
      name: 'merges keys without overriding',
      text: 'x: &d {p: 1, q: 2}\ny: {<<: *d, q: 3}',
      values: [{ x: { p: 1, q: 2 }, y: { p: 1, q: 3 } }],
    },
    {
      name: 'lets the first of several merged maps win',
      text: 'a: {<<: [{p: 1}, {p: 2}]}',
      values: [{ a: { p: 1 } }],
    },
    { name: 'takes number keys as written', text: '0x10: a', values: [{ '0x10': 'a' }] },
    { name: 'has no document in an empty file', text: '', values: [] },
  ])('$name', ({ text, values: expected }) => {
    expect(values(text)).toEqual(expected);
    expect(problems(text)).toEqual([]);
  });

  it('keeps __proto__ an ordinary key', () => {
    const [value] = values('__proto__: {x: 1}');
    expect(Object.keys(value ?? {})).toEqual(['__proto__']);
  });
});

describe('as Kubernetes reads it', () => {
  it.each([
    ['0644', 0o644],
    ['0o644', 0o644],
    ['-010', -8],
    ['0_7', 7],
    ['0x1F', 31],
    ['0b101', 5],
    ['1_000', 1000],
    ['0', 0],
    ['00', 0],
    ['089', 89],
    ['0.5', 0.5],
    ['1e3', 1000],
    ['+3', 3],
    ['yes', true],
    ['On', true],
    ['n', false],
    ['OFF', false],
    ['true', true],
    ['"0644"', '0644'],
    ["'yes'", 'yes'],
    ['yEs', 'yEs'],
    ['1:30', '1:30'],
    ['1_', 1],
    ['0x', '0x'],
    ['~', null],
  ])('%s', (text, value) => {
    const { documents } = parseYamlDocuments('f.yaml', `a: ${text}`, 'kubernetes');
    expect(documents.map((document) => document.value)).toEqual([{ a: value }]);
  });

  it.each([
    '0644',
    'yes',
    'N',
    'off',
    '1_000',
    '0b1',
    '0o7',
    '1e3',
    '~',
    '089',
    '2001-01-01',
    '<<',
  ])('reads the text %s back as text', (text) => {
    const yaml = kubernetesYaml({ [text]: text });
    for (const dialect of ['core', 'kubernetes'] as const) {
      const { documents } = parseYamlDocuments('f.yaml', yaml, dialect);
      expect(documents.map(({ value }) => value)).toEqual([{ [text]: text }]);
    }
  });

  it('reads back whatever is written', () => {
    const object = fc.dictionary(KEY, fc.oneof(fc.jsonValue(), fc.dictionary(KEY, fc.jsonValue())));
    fc.assert(
      fc.property(object, (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        for (const dialect of ['core', 'kubernetes'] as const) {
          const { documents } = parseYamlDocuments('f.yaml', kubernetesYaml(plain), dialect);
          expect(documents.map((document) => document.value)).toEqual([plain]);
        }
      }),
    );
  });

  it('keeps keys as they are written', () => {
    const { documents } = parseYamlDocuments('f.yaml', 'on: 1\n0644: 2', 'kubernetes');
    expect(documents.map(({ value }) => value)).toEqual([{ on: 1, '0644': 2 }]);
  });
});

describe('problems', () => {
  it.each([
    {
      name: 'a duplicate key',
      text: 'a: 1\nb:\n  c: 1\n  c: 2',
      at: '4:3: duplicate key c, first on line 3',
    },
    {
      name: 'the same key in two spellings',
      text: '1: a\n"1": b',
      at: '2:1: duplicate key 1, first on line 1',
    },
    {
      name: 'a tab as indentation',
      text: 'a:\n\t- b',
      at: '2:1: Tabs are not allowed as indentation',
    },
    { name: 'an unclosed quote', text: 'a: "b', at: '1:6: Missing closing "quote' },
    { name: 'an unknown anchor', text: 'a: *n', at: '1:4: no anchor &n' },
    {
      name: 'a tag that would make objects',
      text: 'a: !!js/function "x"',
      at: '1:4: the tag js/function is not supported',
    },
    { name: 'a key that is a list', text: '? [a]\n: 1', at: '1:3: a key must be text' },
    { name: 'an anchor that contains itself', text: 'a: &d [*d]', at: '1:7: nested too deeply' },
    {
      name: 'deep nesting',
      text: `${'['.repeat(200)}${']'.repeat(200)}`,
      at: '1:102: nested too deeply',
    },
  ])('$name', ({ text, at }) => {
    expect(problems(text)).toEqual([`f.yaml:${at}`]);
  });

  it('refuses nesting that would exhaust the stack', () => {
    expect(problems('['.repeat(100_000))[0]).toContain('nested too deeply');
  });

  it('refuses aliases that multiply', () => {
    const levels = 'bcdefghi'
      .split('')
      .map(
        (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(',')}]`,
      );
    expect(problems(['a: &a [1]', ...levels].join('\n'))[0]).toContain('too many aliases');
  });

  it('refuses a large file and many documents', () => {
    expect(problems('a'.repeat(MAX_FILE_CHARACTERS + 1))).toEqual([
      'f.yaml:1:1: the file is larger than 2 MiB',
    ]);
    expect(problems('---\na\n'.repeat(1_001))).toEqual([
      'f.yaml:1:1: the file has more than 1000 documents',
    ]);
  });

  it('keeps the other documents of the file', () => {
    expect(values('a: 1\na: 2\n---\nb: 1')).toEqual([{ b: 1 }]);
  });
});

describe('locate', () => {
  const text = 'a: 1\nb:\n  - x: 1\n  - y\nc: &c {p: 1}\nd:\n  <<: *c\ne: *c\n';
  it.each([
    { name: 'a key', path: ['a'], at: { line: 1, column: 1 } },
    { name: 'a key within a list', path: ['b', 0, 'x'], at: { line: 3, column: 5 } },
    { name: 'a list item', path: ['b', 1], at: { line: 4, column: 5 } },
    {
      name: 'the parent of what is missing',
      path: ['b', 0, 'nope', 'z'],
      at: { line: 3, column: 5 },
    },
    { name: 'the top where nothing is there', path: ['nope'], at: { line: 1, column: 1 } },
    { name: 'a merged key at its origin', path: ['d', 'p'], at: { line: 5, column: 8 } },
    { name: 'through an alias', path: ['e', 'p'], at: { line: 5, column: 8 } },
  ])('finds $name', ({ path, at }) => {
    expect(parseYamlDocuments('f.yaml', text).documents[0]?.locate(path)).toEqual(at);
  });
});

describe('any text', () => {
  const noise = fc.array(
    fc.constantFrom(
      ...'abc0 :-[]{}&*!|>%@`#,?"\'\n\t<'.split(''),
      '---\n',
      '\n  ',
      '*a',
      '&a ',
      '<<: *a',
      '!!x ',
    ),
  );

  it('gives documents or problems and never throws', () => {
    fc.assert(
      fc.property(noise, (parts) => {
        const { documents, problems } = parseYamlDocuments('f.yaml', parts.join(''));
        for (const document of documents) {
          expect(document.locate(['a', 0, 'b']).line).toBeGreaterThan(0);
        }
        for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });
});
