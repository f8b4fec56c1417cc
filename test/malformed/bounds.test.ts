import { expect, it } from 'vitest';
import { parseDeclarations } from '#core/declarations/parse.ts';
import { acceptResources } from '#core/docker/accepts.ts';
import { parseManifests } from '#core/resources/parse.ts';

const PIPELINE = 'apiVersion: windlass.dev/v1\nkind: Pipeline\nmetadata: { name: a }\nspec:\n';

// What is quadratic in the length of its input does not end within the time that these have.
it.each([
  ['maps in maps', (size: number) => '{a: '.repeat(size)],
  ['closed maps', (size: number) => '{a: '.repeat(size) + '1' + '}'.repeat(size)],
  ['lists in lists', (size: number) => '['.repeat(size)],
  ['dashes', (size: number) => '- '.repeat(size)],
  ['deeper and deeper', (size: number) => indented(Math.min(size, 1_000))],
  [
    'anchors',
    (size: number) => Array.from({ length: size }, (_, n) => `a${n}: &a${n} 1`).join('\n'),
  ],
  ['an alias of itself', () => 'a: &a [*a]'],
  ['a merge of itself', () => 'a: &a\n  <<: *a'],
  ['aliases that multiply', () => bomb(12, 10)],
  ['merges that multiply', () => mergeBomb(12, 10)],
  ['one long scalar', (size: number) => `a: ${'x'.repeat(size * 10)}`],
  ['one long key', (size: number) => `${'x'.repeat(size)}: 1`],
  ['a folded scalar', (size: number) => `a: >\n${'  x\n\n'.repeat(size / 4)}`],
  ['question marks', (size: number) => '? '.repeat(size)],
  ['tags', (size: number) => '!a '.repeat(size)],
  ['quotes that do not end', (size: number) => `a: "${'\\n'.repeat(size)}`],
  ['escapes', (size: number) => `a: "${'\\ud800'.repeat(size / 6)}"`],
  ['NULs', (size: number) => '\0'.repeat(size)],
  ['tabs', (size: number) => '\t'.repeat(size)],
  ['empty lines', (size: number) => '\n'.repeat(size)],
  ['comments', (size: number) => '#\n'.repeat(size)],
  ['directives', (size: number) => '%YAML 1.2\n'.repeat(size)],
  ['documents', (size: number) => '---\n'.repeat(size)],
  ['duplicate keys', (size: number) => 'a: 1\n'.repeat(size)],
  ['unknown keys', (size: number) => PIPELINE + items(size * 2, (n) => `  key${n}: 1\n`)],
  [
    'images',
    (size: number) => `${PIPELINE}  images:\n${items(size * 2, (n) => `  - { nam: a${n} }\n`)}`,
  ],
])(
  'takes no time to speak of with %s',
  (_name, make) => {
    const text = make(5_000);
    const files = [{ path: 'f.yaml', text }];
    const manifests = parseManifests(files);
    expect(parseDeclarations(files).problems.length).toBeLessThanOrEqual(100);
    expect(manifests.problems.length).toBeLessThanOrEqual(100);
    expect(acceptResources(manifests).length).toBeLessThanOrEqual(100);
  },
  30_000,
);

function indented(size: number): string {
  return Array.from({ length: size }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
}

function bomb(levels: number, width: number): string {
  function list(name: string): string {
    return `[${Array(width).fill(name).join(', ')}]`;
  }
  return Array.from(
    { length: levels },
    (_, level) => `a${level}: &a${level} ${list(level === 0 ? 'x' : `*a${level - 1}`)}`,
  ).join('\n');
}

function mergeBomb(levels: number, width: number): string {
  return Array.from({ length: levels }, (_, level) => {
    if (level === 0) return 'a0: &a0 { x: 1 }';
    return `a${level}: &a${level} { <<: [${Array(width)
      .fill(`*a${level - 1}`)
      .join(', ')}] }`;
  }).join('\n');
}

function items(size: number, write: (index: number) => string): string {
  return Array.from({ length: size }, (_, index) => write(index)).join('');
}
