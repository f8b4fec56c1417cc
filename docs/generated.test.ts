import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VARIABLES } from './environment.ts';
import { generatedFiles } from './generated.ts';

describe('generated files', () => {
  it.each(Object.entries(generatedFiles()))('%s is current: else `npm run docs`', (path, text) => {
    expect(readFileSync(join(import.meta.dirname, path), 'utf8')).toBe(text);
  });
});

describe('environment', () => {
  const root = join(import.meta.dirname, '..');
  const mains = globSync('{apps,workers}/*/main.ts', { cwd: root });

  it('lists every variable that a program reads, and no other', () => {
    const read = mains
      .map((main) => readFileSync(join(root, main), 'utf8'))
      .flatMap((text) => [...text.matchAll(/\benv\[?\.?'?([A-Z][A-Z0-9_]+)/g)])
      .map(([, name]) => name);
    expect(new Set(read)).toEqual(new Set(VARIABLES.map(({ name }) => name)));
  });
});
