import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { createJobQueue } from '#adapters/queue/job-queue.ts';
import { QUEUE_PREFIX } from '#adapters/queue/settings.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { Delivery, JobQueue, Recording, RunNews, RunStore } from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Run } from '#core/run/run.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { keepDeliveries } from './deliveries.ts';
import { connectRedis } from './redis.ts';
import { channelOf } from './run-keys.ts';
import { createAllNews } from './run-news.ts';
import { createRunStore } from './run-store.ts';

const ONE = '1'.repeat(40);
const TWO = '2'.repeat(40);
const spec = PipelineSpec.parse({ deploy: [{ cluster: 'local', manifests: 'deploy' }] });
let folder = '';
let server: Running & { url: string };
let redis: Redis;
let runs: RunStore;
let queue: JobQueue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-record-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
  runs = createRunStore(redis);
  queue = createJobQueue(redis, () => undefined);
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

function run(id: string, after = ONE, branch = 'main'): Run {
  const trigger = { kind: 'webhook' as const, ref: `refs/heads/${branch}`, after, who: 'ada' };
  return newRun({ id, pipeline: 'hello', spec, trigger, at: Number.parseInt(id, 36) });
}

function delivery(name: string): Delivery {
  return { name, at: 1, trigger: run('r1').trigger, pipelines: ['hello'] };
}

async function ids(): Promise<string[]> {
  return (await runs.list({ limit: 10 })).map(({ id }) => id);
}

/** What the queue holds of a job, and what it told of it. */
async function asQueued(id: string, queueName: string): Promise<object> {
  const { timestamp = '', ...job } = await redis.hgetall(`${QUEUE_PREFIX}:${queueName}:${id}`);
  const told = await redis.xrange(`${QUEUE_PREFIX}:${queueName}:events`, '-', '+');
  const text = JSON.stringify({
    job: Object.entries(job).map(([field, value]) => [
      field,
      field === 'opts' ? sorted(value) : value,
    ]),
    told: told.map(([, fields]) => fields).filter((fields) => fields.includes(id)),
    waits: await redis.lrange(`${QUEUE_PREFIX}:${queueName}:wait`, 0, -1),
    marker: await redis.zscore(`${QUEUE_PREFIX}:${queueName}:marker`, '0'),
  });
  const isNow = Math.abs(Number(timestamp) - Date.now()) < 60_000;
  return { ...(JSON.parse(text.replaceAll(id, 'ID')) as object), isNow };
}

function sorted(json: string): object {
  return Object.fromEntries(
    Object.entries(JSON.parse(json) as object).toSorted(([one], [other]) =>
      one.localeCompare(other),
    ),
  );
}

describe('record', () => {
  it.each([
    ['build', run('r1')],
    [
      'cluster-local',
      { ...run('r2'), steps: run('r2').steps.filter(({ name }) => name !== 'render') },
    ],
  ])('adds the job of a run to the queue %s as the queue itself would', async (name, recorded) => {
    const [job] = jobsOf(recorded);
    if (job === undefined) throw new Error('it has no job');
    await runs.record([{ runs: [recorded] }]);
    const byRecord = await asQueued(job.id, name);
    expect(await queue.state(job)).toBe('waiting');
    await redis.flushall();
    await queue.add(job);
    expect(byRecord).toEqual(await asQueued(job.id, name));
  });

  it('leaves a job alone that is there', async () => {
    const [job] = jobsOf(run('r1'));
    if (job === undefined) throw new Error('it has no job');
    await queue.add(job);
    await runs.record([{ runs: [run('r1')] }]);
    expect(await redis.lrange(`${QUEUE_PREFIX}:build:wait`, 0, -1)).toEqual([job.id]);
  });

  it('tells whether other runs of the branch go on', async () => {
    expect(await runs.record([{ runs: [run('r1')] }, { runs: [run('r2', TWO, 'other')] }])).toEqual(
      ['alone', 'alone'],
    );
    expect(
      await runs.record([{ runs: [run('r3', TWO)] }, { runs: [run('r4', ONE, 'third')] }]),
    ).toEqual(['beside', 'alone']);
    await runs.apply('r2', { kind: 'failed', reason: 'enough', at: 1 });
    expect(await runs.record([{ runs: [run('r5', ONE, 'other')] }])).toEqual(['alone']);
    const beside = await runs.unfinished([run('r3'), run('r1')]);
    expect(beside.map(({ id }) => id).toSorted()).toEqual(['r1', 'r3']);
  });

  it('lets go of the delivery that the runs are of, also where there are none', async () => {
    const [one, two, three] = [delivery('d1'), delivery('d2'), delivery('d3')];
    expect(await runs.keep([one, two, three])).toEqual([true, true, true]);
    expect(await runs.kept(2)).toEqual([one, two]);
    await runs.record([
      { runs: [], delivery: three },
      { runs: [run('r1')], delivery: one },
    ]);
    expect(await runs.kept(10)).toEqual([two]);
    expect(await ids()).toEqual(['r1']);
  });

  it('keeps a delivery once, for its name is remembered', async () => {
    const [one, two] = [delivery('d1'), delivery('d2')];
    expect(await runs.keep([one, two, { ...one, pipelines: [] }])).toEqual([true, true, false]);
    expect(await runs.kept(10)).toEqual([one, two]);
    await runs.record([{ runs: [run('r1')], delivery: one }]);
    expect(await runs.keep([one])).toEqual([false]);
    expect(await runs.kept(10)).toEqual([two]);
  });

  it('says the same of deliveries that come again since its answer was lost', async () => {
    const two = [delivery('d1'), delivery('d2')];
    expect(await keepDeliveries(redis, two, 'call')).toEqual([true, true]);
    expect(await keepDeliveries(redis, two, 'call')).toEqual([true, true]);
    expect(await runs.kept(10)).toEqual(two);
  });

  it('records nothing of a delivery whose runs were recorded before', async () => {
    await runs.keep([delivery('d1')]);
    await runs.record([{ runs: [run('r1')], delivery: delivery('d1') }]);
    expect(await runs.record([{ runs: [run('r2')], delivery: delivery('d1') }])).toEqual(['gone']);
    expect(await ids()).toEqual(['r1']);
  });

  it.each([{}, { delivery: delivery('d1') }])(
    'leaves alone what comes again after its answer was lost: %o',
    async (rest) => {
      const recording: Recording = { runs: [run('r1')], ...rest };
      const [job] = jobsOf(run('r1'));
      if (job === undefined) throw new Error('it has no job');
      if (recording.delivery !== undefined) await runs.keep([recording.delivery]);
      await runs.record([recording]);
      await queue.remove(job);
      await runs.record([{ runs: [run('r2', TWO)] }]);
      const ended = await runs.apply('r1', { kind: 'failed', reason: 'enough', at: 1 });
      expect(await runs.record([recording])).toEqual(['beside']);
      expect(await runs.get('r1')).toEqual(ended);
      expect(await queue.state(job)).toBe('missing');
      expect((await runs.unfinished()).map(({ id }) => id)).toEqual(['r2']);
      expect(await runs.handledHeads([run('r1')])).toEqual([TWO]);
    },
  );
});

describe('news of all runs', () => {
  it('come of a new run, and not after newer ones', async () => {
    const news = createAllNews(redis);
    const told: string[] = [];
    const stopped = new AbortController();
    let heard = Promise.withResolvers<void>();
    const following = news.follow((each) => {
      if (each.kind === 'run') told.push(`${each.run.id} ${each.run.state}`);
      heard.resolve();
    }, stopped.signal);
    await news.recording(async () => ({ fresh: [run('r1')], answer: undefined }));
    await expect.poll(() => redis.pubsub('NUMPAT')).toBe(1);
    heard = Promise.withResolvers<void>();
    await news.recording(async () => {
      const newer: RunNews = { kind: 'run', run: { ...run('r2'), state: 'running' } };
      await redis.publish(channelOf('r2'), JSON.stringify(newer));
      await heard.promise;
      return { fresh: [run('r2'), run('r3')], answer: undefined };
    });
    expect(told).toEqual(['r1 queued', 'r2 running', 'r3 queued']);
    stopped.abort();
    await following;
  });
});
