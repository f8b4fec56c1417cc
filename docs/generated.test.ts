import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VARIABLES } from '#core/environment.ts';
import type { Program } from '#core/environment.ts';
import { generatedFiles } from './generated.ts';

describe('generated files', () => {
  it.each(Object.entries(generatedFiles()))('%s is current: else `npm run docs`', (path, text) => {
    expect(readFileSync(join(import.meta.dirname, path), 'utf8')).toBe(text);
  });
});

describe('environment', () => {
  const root = join(import.meta.dirname, '..');

  it.each<[Program, string]>([
    ['CLI', 'apps/cli/main.ts'],
    ['start', 'apps/start/main.ts'],
    ['server', 'apps/server/main.ts'],
    ['build worker', 'workers/build/main.ts'],
    ['deploy worker', 'workers/deploy/main.ts'],
  ])('lists every variable that the %s reads, and no other', (program, main) => {
    const listed = VARIABLES.filter(({ programs }) => programs.includes(program));
    const read = variablesIn(readFileSync(join(root, main), 'utf8'));
    expect(read).toEqual(new Set(listed.map(({ name }) => name)));
  });
});

/** Names in a schema of the environment, by index, or taken out of `process.env`. */
function variablesIn(text: string): Set<string | undefined> {
  const found = [
    ...text.matchAll(/^ +([A-Z][A-Z0-9_]+): z\b/gm),
    ...text.matchAll(/\benv\['([A-Z][A-Z0-9_]+)'\]/g),
    ...[...text.matchAll(/\{([^{}]*)\} = process\.env/g)].flatMap(([, names = '']) => [
      ...names.matchAll(/(?:^|,)\s*([A-Z][A-Z0-9_]+)/g),
    ]),
  ];
  return new Set(found.map(([, name]) => name));
}
