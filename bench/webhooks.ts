import { createHmac, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createRunStore } from '#adapters/store/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { Recording } from '#core/ports.ts';
import { newRun } from '#core/run/new-run.ts';
import { startRedis } from '../test/tools/redis.ts';
import { startWindlass } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { figure, median } from './figure.ts';
import type { Figure } from './figure.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Both need a while until they are compiled. */
const WARM_UP = 15;
const ROUNDS = 9;
const WEBHOOKS = 400;
const AT_ONCE = 32;
const PATIENCE_MS = 60_000;

/** One a round, so that no push supersedes another. */
const BRANCHES = Array.from({ length: WARM_UP + ROUNDS }, (_, round) => `round-${round}`);

const SPECS = Array.from({ length: WEBHOOKS }, (_, index) => ({
  source: {
    url: `https://forge.invalid/bench-${index}.git`,
    branches: BRANCHES,
    pollSeconds: 0,
    webhookSecret: { env: 'WEBHOOK_SECRET' },
  },
  images: [{ name: 'web' }],
}));
const CONFIG = SPECS.map((spec, index) =>
  JSON.stringify({
    apiVersion: 'windlass.dev/v1',
    kind: 'Pipeline',
    metadata: { name: `bench-${index}` },
    spec,
  }),
).join('\n---\n');

/** A burst of signed webhooks until each is answered, and so kept on disk, beside as many jobs added to a bare queue. */
export async function webhooks(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const redis = await startRedis(folder);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('bench', { connection });
  const bare = {
    answer: await startBare(redis.url, 'answer'),
    add: await startBare(redis.url, 'add'),
  };
  const times = { ours: [] as number[], peer: [] as number[] };
  const bareTimes = { answer: [] as number[], add: [] as number[], record: [] as number[] };
  const recordedTimes: number[] = [];
  const runs = createRunStore(connection);
  try {
    // Only the acceptance is measured, not what workers do of it.
    await windlass.kill('build');
    await windlass.kill('deploy');
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const requests = Array.from({ length: WEBHOOKS }, (_, index) =>
        webhook(`bench-${index}`, `round-${round}`),
      );
      const sent = performance.now();
      const ours = await burst(windlass.url, requests);
      const allRecorded = await untilRecorded(windlass, `round-${round}`, sent);
      const peer = await timed(async (index) => {
        await queue.add('build', { index });
      });
      const answered = await burst(bare.answer.url, requests);
      const added = await burst(bare.add.url, requests);
      const recordings = SPECS.map((_, index) => recording(index, round));
      const begun = performance.now();
      for (let first = 0; first < WEBHOOKS; first += AT_ONCE)
        await runs.record(recordings.slice(first, first + AT_ONCE));
      const recorded = performance.now() - begun;
      if (round < WARM_UP) continue;
      recordedTimes.push(allRecorded);
      bareTimes.record.push(recorded);
      times.ours.push(ours);
      times.peer.push(peer);
      bareTimes.answer.push(answered);
      bareTimes.add.push(added);
    }
  } finally {
    for (const { stop } of Object.values(bare)) await stop();
    await queue.close();
    connection.disconnect();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
    await windlass.stop();
  }
  const told = figure(
    'webhooks',
    times,
    2,
    `${WEBHOOKS} signed pushes to as many pipelines, ${AT_ONCE} at a time, until the last is answered and so all are on disk, beside as many \`add\` of bare BullMQ; each Redis writes every change to the disk before it answers. Runs are recorded and queued right after: when all are, and what HTTP and a signature cost at least, is below`,
  );
  return {
    ...told,
    beside: {
      head: ['what', 'ms', 'beside bare `add`'],
      rows: [
        ['Windlass: webhooks kept', told.ours, ratioOf(told.ours)],
        ['Windlass: until all their runs are recorded and queued', ...cells(recordedTimes)],
        [
          `no HTTP: runs recorded with their jobs, ${AT_ONCE} by one script`,
          ...cells(bareTimes.record),
        ],
        ["Node's HTTP server, signature checked, one `add`", ...cells(bareTimes.add)],
        ["Node's HTTP server, signature checked, nothing kept", ...cells(bareTimes.answer)],
        ['bare `add`', told.peer, ratioOf(told.peer)],
      ],
    },
  };

  function cells(some: readonly number[]): [number, string] {
    return [median(some), ratioOf(median(some))];
  }

  function ratioOf(ms: number): string {
    return (ms / told.peer).toFixed(2);
  }
}

/** A receiver in a process of its own. */
async function startBare(
  redis: string,
  does: 'answer' | 'add',
): Promise<{ url: string; stop: () => Promise<void> }> {
  const file = fileURLToPath(new URL('bare-receiver.ts', import.meta.url));
  const child = spawn(process.execPath, [file, redis, does], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `http://127.0.0.1:${port.toString().trim()}`,
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/** Milliseconds from `begun` until those that came last are recorded; resolves when all are. */
async function untilRecorded(windlass: Windlass, branch: string, begun: number): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  async function wait(index: number): Promise<void> {
    while ((await newestBranch(windlass, index)) !== branch) {
      if (performance.now() > deadline) throw new Error(`bench-${index} has no run of ${branch}`);
      await sleep(1);
    }
  }
  for (let index = WEBHOOKS - AT_ONCE; index < WEBHOOKS; index += 1) await wait(index);
  const took = performance.now() - begun;
  for (let index = 0; index < WEBHOOKS - AT_ONCE; index += 1) await wait(index);
  return took;
}

async function newestBranch(windlass: Windlass, index: number): Promise<string | undefined> {
  const path = `/api/v1/runs?pipeline=bench-${index}&limit=1`;
  return (await windlass.get<{ runs: { branch: string }[] }>(path)).runs[0]?.branch;
}

/** As the server makes it of a webhook, without letting go of that. */
function recording(index: number, round: number): Recording {
  const after = randomBytes(20).toString('hex');
  const run = newRun({
    id: after.slice(0, 12),
    pipeline: `bench-${index}`,
    spec: PipelineSpec.parse(SPECS[index]),
    trigger: { kind: 'webhook', ref: `refs/heads/round-${round}`, after, who: 'bench' },
    at: Date.now(),
  });
  return { runs: [run] };
}

/** Milliseconds, without the making of connections. These are new for each burst: a server closes those at rest. */
async function burst(url: string, requests: readonly Buffer[]): Promise<number> {
  const connections = await Promise.all(Array.from({ length: AT_ONCE }, () => openConnection(url)));
  try {
    return await timed((index, sender) => send(connections[sender], requests[index]));
  } finally {
    for (const { close } of connections) close();
  }
}

async function timed(one: (index: number, sender: number) => Promise<void>): Promise<number> {
  const begun = performance.now();
  let next = 0;
  async function work(sender: number): Promise<void> {
    while (next < WEBHOOKS) {
      next += 1;
      await one(next - 1, sender);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, sender) => work(sender)));
  return performance.now() - begun;
}

async function send(connection?: Connection, request?: Buffer): Promise<void> {
  if (connection === undefined || request === undefined) throw new Error('nothing to send');
  const status = await connection.ask(request);
  if (status !== 202) throw new Error(`a webhook was answered with ${status}`);
}

/** Whole, as its sender would have it ready: what that costs is not the server's. */
function webhook(repository: string, branch: string): Buffer {
  const after = randomBytes(20).toString('hex');
  const body = JSON.stringify({
    ref: `refs/heads/${branch}`,
    before: '0'.repeat(40),
    after,
    repository: { clone_url: `https://forge.invalid/${repository}.git` },
    pusher: { name: 'bench' },
  });
  const signature = createHmac('sha256', 'webhook secret').update(body).digest('hex');
  const head = [
    'POST /webhooks/github HTTP/1.1',
    'host: windlass',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'x-github-event: push',
    `x-github-delivery: ${after}`,
    `x-hub-signature-256: sha256=${signature}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}
