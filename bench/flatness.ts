import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from './memory.ts';

/** Of what is watched, after which caches are as warm as they get. */
const WARM_UP = 0.25;
const MOST_GROWTH_MB = 20;
const MOST_HANDLES = 10;
const SAMPLE_MS = 2_000;

export interface Sample {
  megabytes: number;
  handles: number;
}

/** What something held in the quarter after the warm-up, and in the last: medians. */
export interface Growth {
  name: string;
  before: Sample;
  after: Sample;
  isFlat: boolean;
}

export const FLAT = `Flat is up to ${MOST_GROWTH_MB} MB and ${MOST_HANDLES} handles more.`;

/** What the processes of each name hold together while `work` goes on. */
export async function watchGrowth(
  processes: () => Promise<Record<string, readonly number[]>>,
  work: () => Promise<void>,
): Promise<Growth[]> {
  const samples = new Map<string, Sample[]>();
  const done = new AbortController();
  async function look(): Promise<void> {
    while (!done.signal.aborted) {
      for (const [name, pids] of Object.entries(await processes())) {
        const held = await heldBy(pids);
        if (held !== undefined) samples.set(name, [...(samples.get(name) ?? []), held]);
      }
      await sleep(SAMPLE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  }
  const looking = look();
  try {
    await work();
  } finally {
    done.abort();
    await looking;
  }
  return [...samples].map(([name, of]) => growth(name, of));
}

export function growthTable(rows: readonly Growth[]): string {
  const lines = rows.map(
    ({ name, before, after, isFlat }) =>
      `| ${name} | ${before.megabytes} | ${after.megabytes} | ${before.handles} | ${after.handles} | ${isFlat ? 'yes' : 'no'} |\n`,
  );
  return `| process | MB before | MB after | handles before | handles after | flat |
|---|---|---|---|---|---|
${lines.join('')}`;
}

/** Nothing where one of them ended meanwhile: a sample of half of them would tell a lie. */
async function heldBy(pids: readonly number[]): Promise<Sample | undefined> {
  try {
    const open = await Promise.all(pids.map((pid) => readdir(`/proc/${pid}/fd`)));
    return { megabytes: await memoryOf(pids), handles: open.flat().length };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

function growth(name: string, samples: readonly Sample[]): Growth {
  const quarter = Math.max(1, Math.floor(samples.length * WARM_UP));
  const before = medians(samples.slice(quarter, 2 * quarter));
  const after = medians(samples.slice(-quarter));
  const isFlat =
    after.megabytes - before.megabytes <= MOST_GROWTH_MB &&
    after.handles - before.handles <= MOST_HANDLES;
  return { name, before, after, isFlat };
}

export function medians(samples: readonly Sample[]): Sample {
  return {
    megabytes: Math.round(median(samples.map(({ megabytes }) => megabytes))),
    handles: median(samples.map(({ handles }) => handles)),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
