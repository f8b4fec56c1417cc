import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figure.ts';

const FILE = fileURLToPath(new URL('README.md', import.meta.url));
/** What the page's figures were written from. */
const FIGURES = fileURLToPath(new URL('figures.json', import.meta.url));
/** Sections of the soaks, in the order they have on the page. */
const SOAKS = { pushes: '## Soak\n', load: '## Soak under load\n' } as const;
type Soak = keyof typeof SOAKS;
const NAMES = Object.keys(SOAKS) as Soak[];

export async function readFigures(): Promise<Figure[]> {
  return JSON.parse(await readFile(FIGURES, 'utf8')) as Figure[];
}

/** Puts the page in the place of the one before; what the soaks wrote stays. */
export async function writeFigures(figures: readonly Figure[], page: string): Promise<void> {
  await writeFile(FIGURES, `${JSON.stringify(figures, undefined, 2)}\n`);
  await write({ ...(await read()), figures: page });
}

export async function writeSoak(soak: Soak, section: string): Promise<void> {
  await write({ ...(await read()), [soak]: `${SOAKS[soak]}\n${section}` });
}

type Page = Record<'figures' | Soak, string>;

async function read(): Promise<Page> {
  const text = await readFile(FILE, 'utf8');
  const starts = NAMES.map((name) => ({ name, at: text.indexOf(SOAKS[name]) })).filter(
    ({ at }) => at >= 0,
  );
  const ends = [...starts.map(({ at }) => at).slice(1), text.length];
  const sections = starts.map(({ name, at }, index) => [name, text.slice(at, ends[index])]);
  return {
    pushes: '',
    load: '',
    ...Object.fromEntries(sections),
    figures: text.slice(0, starts[0]?.at),
  };
}

async function write(page: Page): Promise<void> {
  const parts = (['figures', ...NAMES] as const)
    .map((name) => page[name].trim())
    .filter((part) => part !== '');
  await writeFile(FILE, `${parts.join('\n\n')}\n`);
}
