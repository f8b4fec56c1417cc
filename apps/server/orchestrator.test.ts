import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryJobQueue } from '#adapters/fake/job-queue.ts';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { Delivery, RunStore } from '#core/ports.ts';
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
const KNOWN = {
  pipeline: {
    apiVersion: 'windlass.dev/v1' as const,
    kind: 'Pipeline' as const,
    metadata: { name: 'forge' },
    spec,
  },
  declaredIn: 'configuration' as const,
};

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
    pipelines: {
      all: async () => [],
      find: async (name) => find(name),
    },
    now: () => 1,
    log: pino({ level: 'silent' }),
  });
});

function find(name: string): typeof KNOWN | undefined {
  if (name === 'broken') throw new Error('it is broken');
  return name === 'forge' ? KNOWN : undefined;
}

async function poll(head: string, handled?: string): Promise<Run | undefined> {
  return orchestrator.receiveHead({ branch: 'main', head, handled }, TARGET);
}

async function keep(after: string, pipelines = ['forge']): Promise<Delivery> {
  const trigger: Trigger = { kind: 'webhook', ref: 'refs/heads/main', after, who: 'ada' };
  deliveries += 1;
  const delivery = { name: `d${deliveries}`, at: 1, trigger, pipelines };
  await runs.keep([delivery]);
  return delivery;
}

async function webhook(after: string): Promise<void> {
  await orchestrator.receiveDeliveries([await keep(after)]);
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
    await poll(ONE);
    await webhook(ONE);
    expect(await all()).toEqual(['poll 1']);
  });

  it('gets no second run by any of many webhooks that come one after the other', async () => {
    await poll(ONE);
    async function later(turns: number): Promise<void> {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return webhook(ONE);
    }
    await Promise.all(Array.from({ length: 40 }, (_, turns) => later(turns)));
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

  it('waits where a webhook of the branch has no run yet, which would come after its own', async () => {
    const kept = await keep(ONE);
    expect(await poll(TWO)).toBeUndefined();
    await orchestrator.receiveDeliveries([kept]);
    expect(await poll(TWO, ONE)).toMatchObject({ commit: TWO });
    expect(await all()).toEqual(['poll 2', 'webhook 1']);
  });

  it('is old news where the branch got another run meanwhile', async () => {
    await webhook(ONE);
    await webhook(TWO);
    expect(await poll(ONE, undefined)).toBeUndefined();
  });

  it('is built already where it was found in the place of what a webhook told', async () => {
    await webhook(ONE);
    const [run] = await runs.list({ limit: 1 });
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

describe('a delivery', () => {
  it('is let go of with its run', async () => {
    const kept = await keep(ONE);
    expect(await runs.kept(10)).toEqual([kept]);
    await orchestrator.receiveDeliveries([kept]);
    expect(await runs.kept(10)).toEqual([]);
  });

  it('has no run on a branch that the pipeline was taken from, nor a second one', async () => {
    const other = { ...(await keep(ONE)), name: 'other' };
    other.trigger = { ...other.trigger, ref: 'refs/heads/other' };
    await runs.keep([other]);
    const both = await runs.kept(10);
    await orchestrator.receiveDeliveries(both);
    await orchestrator.receiveDeliveries(both);
    expect(await all()).toEqual(['webhook 1']);
  });

  it('holds up none that is recorded with it, where its run cannot be made', async () => {
    const kept = await keep(ONE, ['broken']);
    const trigger: Trigger = { kind: 'push', ref: 'refs/heads/other', after: TWO, who: 'ada' };
    const received = orchestrator.receiveDeliveries([kept]);
    const pushed = orchestrator.receive(trigger, TARGET);
    await expect(received).rejects.toThrow('broken');
    expect(await pushed).toMatchObject({ commit: TWO });
  });

  it('has no run of a pipeline that is declared no longer', async () => {
    await orchestrator.receiveDeliveries([
      await keep(ONE, ['gone', 'forge']),
      await keep(TWO, ['gone']),
    ]);
    expect(await all()).toEqual(['webhook 1']);
    expect(await runs.kept(10)).toEqual([]);
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
