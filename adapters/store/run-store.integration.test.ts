import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Run } from '#core/run/run.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { connectRedis } from './redis.ts';
import { createRunStore } from './run-store.ts';

const RUNS = 230;
const RARE_EVERY = 60;
let folder = '';
let server: Running & { url: string };
let redis: Redis;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-runs-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

function run(number: number): Run {
  const branch = number % RARE_EVERY === 0 ? 'rare' : 'main';
  const trigger = {
    kind: 'push' as const,
    repository: 'local',
    ref: `refs/heads/${branch}`,
    after: 'a'.repeat(40),
    who: 'ada',
  };
  const spec = PipelineSpec.parse({});
  return newRun({ id: String(number), pipeline: 'hello', spec, trigger, at: number });
}

it('finds the newest runs of a branch among many of others', async () => {
  const runs = createRunStore(redis);
  await runs.record([{ runs: Array.from({ length: RUNS }, (_, number) => run(number)) }]);
  async function list(filter: object): Promise<number[]> {
    const found = await runs.list({ pipeline: 'hello', limit: 3, ...filter });
    return found.map(({ createdAt }) => createdAt);
  }
  expect(await list({})).toEqual([229, 228, 227]);
  expect(await list({ branch: 'rare' })).toEqual([180, 120, 60]);
  expect(await list({ branch: 'rare', limit: 9 })).toEqual([180, 120, 60, 0]);
  expect(await list({ branch: 'rare', since: 120 })).toEqual([180, 120]);
  expect(await list({ branch: 'main', since: 228 })).toEqual([229, 228]);
  expect(await list({ branch: 'none' })).toEqual([]);
  expect(await list({ pipeline: 'other' })).toEqual([]);
});
