import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryJobQueue } from '#adapters/fake/job-queue.ts';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { RunStore } from '#core/ports.ts';
import type { Run, Trigger } from '#core/run/run.ts';
import { createOrchestrator } from './orchestrator.ts';
import type { Orchestrator } from './orchestrator.ts';

const ONE = '1'.repeat(40);
const TWO = '2'.repeat(40);
const spec = PipelineSpec.parse({
  source: { url: 'https://forge.example/team/app.git' },
  deploy: [{ cluster: 'local', manifests: 'deploy' }],
});
const TARGET = { pipeline: 'forge', spec };

let runs: RunStore;
let orchestrator: Orchestrator;
let released: string[];
/** What a look at a branch waits for. */
let looked: Promise<void> | undefined;
let deliveries = 0;

beforeEach(() => {
  runs = createMemoryRunStore();
  released = [];
  looked = undefined;
  orchestrator = createOrchestrator({
    runs,
    queue: createMemoryJobQueue(),
    releases: {
      history: async () => [],
      namesSource: async (_pipeline, commit) => released.includes(commit),
      forgetRendered: async () => undefined,
    },
    repositories: {
      open: () => ({
        async resolve() {
          await looked;
          return undefined;
        },
      }),
    },
    pipelines: { all: async () => [], find: async () => undefined },
    now: () => 1,
    log: pino({ level: 'silent' }),
  });
});

async function poll(head: string, handled?: string): Promise<Run | undefined> {
  return orchestrator.receiveHead({ branch: 'main', head, handled }, TARGET);
}

async function webhook(after: string): Promise<readonly Run[]> {
  const trigger: Trigger = { kind: 'webhook', ref: 'refs/heads/main', after, who: 'ada' };
  deliveries += 1;
  return (await orchestrator.receiveAll(trigger, [TARGET], `d${deliveries}`)).runs;
}

async function all(): Promise<string[]> {
  const list = await runs.list({ limit: 10 });
  return list.map(({ trigger }) => `${trigger.kind} ${trigger.after[0]}`);
}

describe('a head that was seen at a remote', () => {
  it('gets a run, once', async () => {
    expect(await poll(ONE)).toMatchObject({ trigger: { kind: 'poll', after: ONE } });
    expect(await poll(ONE, ONE)).toBeUndefined();
    expect(await all()).toEqual(['poll 1']);
  });

  it('gets no second run by a webhook that comes later', async () => {
    const run = await poll(ONE);
    expect(await webhook(ONE)).toEqual([run]);
    expect(await all()).toEqual(['poll 1']);
  });

  it('gets no second run by any of many webhooks that come one after the other', async () => {
    const run = await poll(ONE);
    async function later(turns: number): Promise<readonly Run[]> {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return webhook(ONE);
    }
    const found = await Promise.all(Array.from({ length: 40 }, (_, turns) => later(turns)));
    expect(found.flat()).toEqual(found.map(() => run));
    expect(await all()).toEqual(['poll 1']);
  });

  it('gets no run where a webhook was faster', async () => {
    await webhook(ONE);
    expect(await poll(ONE)).toBeUndefined();
    expect(await all()).toEqual(['webhook 1']);
  });

  it('gets one run where both come at once, whichever is first', async () => {
    await webhook(ONE);
    const polled = poll(TWO, ONE);
    // A batch begins when nothing else has come in.
    await setImmediate();
    await Promise.all([polled, webhook(TWO)]);
    await Promise.all([webhook(ONE), poll(ONE, TWO)]);
    expect(await all()).toEqual(['webhook 1', 'poll 2', 'webhook 1']);
  });

  it('is old news where the branch got another run meanwhile', async () => {
    await webhook(ONE);
    await webhook(TWO);
    expect(await poll(ONE, undefined)).toBeUndefined();
  });

  it('is built already where it was found in the place of what a webhook told', async () => {
    const [run] = await webhook(ONE);
    await runs.apply(run?.id ?? '', { kind: 'started', at: 2 });
    await runs.apply(run?.id ?? '', { kind: 'resolved', commit: TWO, subject: 'two', at: 3 });
    expect(await poll(TWO, ONE)).toBeUndefined();
  });

  it('is no news where it was released before all runs were lost', async () => {
    released = [ONE];
    expect(await poll(ONE)).toBeUndefined();
    expect(await poll(TWO)).toBeDefined();
  });

  it('is built again where the branch went back to it', async () => {
    await webhook(ONE);
    await webhook(TWO);
    expect(await poll(ONE, TWO)).toMatchObject({ commit: ONE });
  });
});

describe('deliveries that wait for who records alone', () => {
  it('become runs in the order they came, however many', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    looked = promise;
    const trigger: Trigger = { kind: 'push', ref: 'refs/heads/other', after: ONE, who: 'ada' };
    const pushed = orchestrator.receive(trigger, TARGET);
    await setImmediate();
    const commits = Array.from({ length: 20 }, (_, index) => String(index).padStart(40, '0'));
    const received = Promise.all(commits.map(webhook));
    await setImmediate();
    resolve();
    await Promise.all([pushed, received]);
    const list = await runs.list({ branch: 'main', pipeline: 'forge', limit: 20 });
    expect(list.map((run) => run.trigger.after).toReversed()).toEqual(commits);
    expect(await runs.handledHeads([{ pipeline: 'forge', branch: 'main' }])).toEqual([
      commits.at(-1),
    ]);
  });
});
