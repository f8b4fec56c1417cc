import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import type { Delivery, RunStore } from '#core/ports.ts';
import { createInbox } from './inbox.ts';
import type { Inbox } from './inbox.ts';

const DAY_MS = 24 * 3_600_000;

let runs: RunStore;
let inbox: Inbox;
let received: string[];
/** Names of those whose runs cannot be recorded. */
let bad: string[];
let now: number;
let stopped: AbortController;
let running: Promise<void> | undefined;

beforeEach(() => {
  runs = createMemoryRunStore();
  received = [];
  bad = [];
  now = 1;
  stopped = new AbortController();
  running = undefined;
  inbox = createInbox({
    runs,
    orchestrator: { receiveDeliveries },
    now: () => now,
    log: pino({ level: 'silent' }),
  });
});

afterEach(async () => {
  stopped.abort();
  await running;
});

async function receiveDeliveries(deliveries: readonly Delivery[]): Promise<void> {
  if (deliveries.some(({ name }) => bad.includes(name))) throw new Error('no');
  await runs.record(deliveries.map((each) => ({ runs: [], delivery: each })));
  received.push(...deliveries.map(({ name }) => name));
}

function delivery(name: string, branch = 'main'): Delivery {
  const after = name.padStart(40, '0');
  const trigger = { kind: 'webhook' as const, ref: `refs/heads/${branch}`, after, who: 'ada' };
  return { name, at: now, trigger, pipelines: ['forge'] };
}

it('makes runs of what was kept, also before the start, in the order it came', async () => {
  await runs.keep([delivery('a')]);
  running = inbox.run(stopped.signal);
  await expect.poll(() => received).toEqual(['a']);
  const names = Array.from({ length: 100 }, (_, index) => `b${index}`);
  await Promise.all(names.map((name) => inbox.accept(delivery(name))));
  await expect.poll(() => received).toEqual(['a', ...names]);
  expect(await inbox.accept(delivery('c'))).toBe(true);
  await expect.poll(() => received.at(-1)).toBe('c');
});

it('is settled when all that was kept has its runs, and does not wait for ever', async () => {
  await inbox.settled();
  await inbox.accept(delivery('a'));
  running = inbox.run(stopped.signal);
  await inbox.settled();
  expect(received).toEqual(['a']);
  bad = ['b'];
  await inbox.accept(delivery('b'));
  await inbox.settled();
  expect(received).toEqual(['a']);
});

it('takes a delivery once', async () => {
  running = inbox.run(stopped.signal);
  expect(await inbox.accept(delivery('a'))).toBe(true);
  await expect.poll(() => received).toEqual(['a']);
  expect(await inbox.accept(delivery('a'))).toBe(false);
  expect(await inbox.accept(delivery('b'))).toBe(true);
  await expect.poll(() => received).toEqual(['a', 'b']);
});

it('makes runs also while deliveries come in without end', async () => {
  running = inbox.run(stopped.signal);
  for (let sent = 0; received.length === 0; sent += 1) {
    await inbox.accept(delivery(`a${sent}`));
    await sleep(1);
  }
  expect(received[0]).toBe('a0');
});

it('holds up none of other branches for those that fail, and tries these again, in their order', async () => {
  bad = ['a', 'c'];
  running = inbox.run(stopped.signal);
  const others = Array.from({ length: 100 }, (_, index) => `e${index}`);
  const all = ['a', 'b', 'c', 'd', ...others].map((name, index) =>
    delivery(name, ['main', 'two', 'three', 'main'][index] ?? 'four'),
  );
  await Promise.all(all.map((each) => inbox.accept(each)));
  await expect.poll(() => received).toEqual(['b', ...others]);
  bad = ['c'];
  await expect.poll(() => received.slice(101), { timeout: 10_000 }).toEqual(['a', 'd']);
});

it('lets go after a day of one whose runs cannot be made', async () => {
  bad = ['a'];
  await runs.keep([delivery('a'), delivery('b')]);
  now += DAY_MS;
  await runs.keep([delivery('c')]);
  now += 1;
  running = inbox.run(stopped.signal);
  await expect.poll(() => received).toEqual(['b', 'c']);
  expect(await runs.kept(10)).toEqual([]);
});

it('leaves what came before it was stopped to the next start', async () => {
  running = inbox.run(stopped.signal);
  await inbox.accept(delivery('a'));
  stopped.abort();
  await running;
  expect(received).toEqual([]);
  expect(await runs.kept(10)).toEqual([delivery('a')]);
});
