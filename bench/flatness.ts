import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { privateMemoryOf } from './memory.ts';

const MOST_GROWTH_MB = 20;
const MOST_HANDLES = 10;
const SAMPLE_MS = 2_000;
/** How long a process is left alone, and then has to collect its garbage. */
const SETTLE_MS = 5_000;
const COLLECTIONS = 3;

/** Has a Node collect its garbage at SIGUSR2. */
export const COLLECTING = {
  NODE_OPTIONS: `--max-semi-space-size=4 --expose-gc --import=${new URL('collect-garbage.ts', import.meta.url).href}`,
};

interface Sample {
  megabytes: number;
  handles: number;
}

/** At work, as medians, and at rest, when nothing is left but what is still referred to. */
interface Held {
  atWork: Sample;
  atRest: Sample;
}

export interface Growth {
  name: string;
  before: Held;
  after: Held;
  isFlat: boolean;
}

interface Watched {
  /** Those that belong together by a name. */
  processes: () => Promise<Record<string, readonly number[]>>;
  work: (minutes: number) => Promise<void>;
  /** Until what was done leaves nothing behind that would go by itself. */
  rest: () => Promise<void>;
}

export const FLAT = `Private memory (MB) and file handles are watched over the second quarter (before) and the last (after):
medians at work, and at rest after each. Flat is up to ${MOST_GROWTH_MB} MB and ${MOST_HANDLES} handles more at rest.`;

/** Work for so long: a quarter of it until caches are warm, the second watched, the third, and the last watched. */
export async function watchGrowth(watched: Watched, minutes: number): Promise<Growth[]> {
  const quarter = minutes / 4;
  await watched.work(quarter);
  const before = await heldOver(watched, quarter);
  await watched.work(quarter);
  const after = await heldOver(watched, quarter);
  return [...before].map(([name, first]) => growth(name, first, after.get(name)));
}

export function growthTable(rows: readonly Growth[]): string {
  const lines = rows.map(({ name, before, after, isFlat }) => {
    const pairs = [
      [before.atRest.megabytes, after.atRest.megabytes],
      [before.atRest.handles, after.atRest.handles],
      [before.atWork.megabytes, after.atWork.megabytes],
      [before.atWork.handles, after.atWork.handles],
    ];
    return `| ${[name, ...pairs.flat().map((value) => Math.round(value)), isFlat ? 'yes' : 'no'].join(' | ')} |\n`;
  });
  return `| process | MB at rest before | after | handles at rest before | after | MB at work before | after | handles at work before | after | flat |
|---|---|---|---|---|---|---|---|---|---|
${lines.join('')}`;
}

/** Asks Nodes that were started with COLLECTING. */
export async function collectGarbage(pids: readonly number[]): Promise<void> {
  for (let nth = 0; nth < COLLECTIONS; nth += 1) {
    await sleep(SETTLE_MS);
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
  }
  await sleep(SETTLE_MS);
}

async function heldOver(watched: Watched, minutes: number): Promise<Map<string, Held>> {
  const samples = new Map<string, Sample[]>();
  const done = new AbortController();
  async function look(): Promise<void> {
    while (!done.signal.aborted) {
      for (const [name, held] of await heldNow(watched))
        if (held !== undefined) samples.set(name, [...(samples.get(name) ?? []), held]);
      await sleep(SAMPLE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  }
  const looking = look();
  try {
    await watched.work(minutes);
  } finally {
    done.abort();
    await looking;
  }
  await watched.rest();
  return new Map(
    (await heldNow(watched)).map(([name, atRest]) => {
      if (atRest === undefined) throw new Error(`${name} ended at rest`);
      return [name, { atWork: medians(samples.get(name) ?? []), atRest }];
    }),
  );
}

async function heldNow({ processes }: Watched): Promise<[string, Sample | undefined][]> {
  const all = Object.entries(await processes());
  return Promise.all(all.map(async ([name, pids]) => [name, await heldBy(pids)]));
}

/** Nothing where one of them ended meanwhile: a sample of half of them would tell a lie. */
async function heldBy(pids: readonly number[]): Promise<Sample | undefined> {
  try {
    const open = await Promise.all(pids.map((pid) => readdir(`/proc/${pid}/fd`)));
    const sizes = await Promise.all(pids.map(privateMemoryOf));
    const megabytes = sizes.reduce((sum, size) => sum + size, 0);
    return { megabytes, handles: open.flat().length };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

function growth(name: string, before: Held, after: Held | undefined): Growth {
  if (after === undefined) throw new Error(`${name} ran no more`);
  const isFlat =
    after.atRest.megabytes - before.atRest.megabytes <= MOST_GROWTH_MB &&
    after.atRest.handles - before.atRest.handles <= MOST_HANDLES;
  return { name, before, after, isFlat };
}

function medians(samples: readonly Sample[]): Sample {
  return {
    megabytes: median(samples.map(({ megabytes }) => megabytes)),
    handles: median(samples.map(({ handles }) => handles)),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
