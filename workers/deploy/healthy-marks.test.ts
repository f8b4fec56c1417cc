import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { OwnerReport, ServerApi } from '#core/ports.ts';
import type { Release } from '#core/release/release.ts';
import { createHealthyMarks } from './healthy-marks.ts';
import type { HealthyMarks } from './healthy-marks.ts';

const NEVER = new AbortController().signal;

interface Marking extends HealthyMarks {
  /** What the server was asked to mark. */
  asked: string[];
  /** A pass at that time. */
  see: (at: number, report?: Partial<OwnerReport>) => Promise<void>;
}

function start({ healthy = false, isAway = false } = {}): Marking {
  const asked: string[] = [];
  let now = 0;
  const head = { pipeline: 'shop', entry: 'here', commit: 'r1', healthy };
  const server = {
    heads: async () => ({ releases: [head as Release], unreadable: [] }),
    async markHealthy(pipeline: string, entry: string, commit: string) {
      asked.push(`${pipeline} ${entry} ${commit}`);
      if (isAway) throw new Error('away');
    },
  } as unknown as ServerApi;
  const log = pino({ level: 'silent' });
  const marks = createHealthyMarks({ server, now: () => now, log }, NEVER);
  return {
    ...marks,
    asked,
    async see(at, report = {}) {
      now = at;
      const owner = { owner: 'shop/here', release: 'r1', serving: true, overrides: [] };
      marks.passed([{ ...owner, ...report } as OwnerReport]);
      await new Promise(setImmediate);
    },
  };
}

it('marks a release that goes on serving, once', async () => {
  const { asked, see } = start();
  await see(0);
  await see(9_000);
  expect(asked).toEqual([]);
  await see(10_000);
  await see(60_000);
  await see(90_000);
  expect(asked).toEqual(['shop here r1']);
});

const SCALED = {
  resource: 'Deployment/default/web',
  who: 'ada',
  at: 0,
  replicas: 0,
  released: 1,
  until: 1,
} as const;

it.each<[string, Partial<OwnerReport>]>([
  ['does not serve', { serving: false }],
  ['is suspended', { suspended: { who: 'ada', at: 0 } }],
  ['is a deletion', { release: '' }],
  ['is scaled by hand', { overrides: [{ kind: 'scale', ...SCALED }] }],
])('marks nothing that %s', async (_name, report) => {
  const { asked, see } = start();
  await see(0, report);
  await see(60_000, report);
  expect(asked).toEqual([]);
});

it('waits anew for another release, and for one that has served no more in between', async () => {
  const { asked, see } = start();
  await see(0);
  await see(10_000, { release: 'r2' });
  await see(12_000, { release: 'r2', serving: false });
  await see(20_000, { release: 'r2' });
  expect(asked).toEqual([]);
  await see(30_000, { release: 'r2' });
  expect(asked).toEqual(['shop here r2']);
});

it('asks nothing for what the server told is healthy', async () => {
  const { asked, see, server } = start({ healthy: true });
  await server.heads('here', NEVER);
  await see(0);
  await see(60_000);
  expect(asked).toEqual([]);
});

it('asks nothing for what the run of the release has marked', async () => {
  const { asked, see, server } = start();
  await see(0);
  await server.markHealthy('shop', 'here', 'r1', NEVER);
  await see(60_000);
  expect(asked).toHaveLength(1);
});

it('tries again after a while where the server refused', async () => {
  const { asked, see } = start({ isAway: true });
  await see(0);
  await see(10_000);
  await see(11_000);
  await see(69_000);
  expect(asked).toHaveLength(1);
  await see(70_000);
  expect(asked).toHaveLength(2);
});
