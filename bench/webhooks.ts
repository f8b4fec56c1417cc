import { createHmac, randomBytes } from 'node:crypto';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startRedis } from '../test/tools/redis.ts';
import { startWindlass } from '../test/support/windlass.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Both need a while until they are compiled. */
const WARM_UP = 5;
const ROUNDS = 9;
const WEBHOOKS = 400;
const AT_ONCE = 32;

/** One a round, so that no push supersedes another. */
const BRANCHES = Array.from({ length: WARM_UP + ROUNDS }, (_, round) => `round-${round}`);

const CONFIG = Array.from(
  { length: WEBHOOKS },
  (_, index) => `
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: bench-${index} }
spec:
  source: { url: "https://forge.invalid/bench-${index}.git", branches: [${BRANCHES.join(', ')}], pollSeconds: 0, webhookSecret: { env: WEBHOOK_SECRET } }
  images: [{ name: web }]
`,
).join('---\n');

/** A burst of signed webhooks until each is answered, and so recorded and queued, beside as many jobs added to a bare queue. */
export async function webhooks(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const redis = await startRedis(folder);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('bench', { connection });
  const connections = await Promise.all(
    Array.from({ length: AT_ONCE }, () => openConnection(windlass.url)),
  );
  const times = { ours: [] as number[], peer: [] as number[] };
  try {
    // Only the acceptance is measured, not what workers do of it.
    await windlass.kill('build');
    await windlass.kill('deploy');
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const requests = Array.from({ length: WEBHOOKS }, (_, index) =>
        webhook(`bench-${index}`, `round-${round}`),
      );
      const ours = await timed((index, sender) => send(connections[sender], requests[index]));
      const peer = await timed(async (index) => {
        await queue.add('build', { index });
      });
      if (round < WARM_UP) continue;
      times.ours.push(ours);
      times.peer.push(peer);
    }
  } finally {
    for (const { close } of connections) close();
    await queue.close();
    connection.disconnect();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
    await windlass.stop();
  }
  return figure(
    'webhooks',
    times,
    2,
    `${WEBHOOKS} signed pushes to as many pipelines, ${AT_ONCE} at a time, until the last is answered, beside as many \`add\` of bare BullMQ; each Redis writes every change to the disk before it answers`,
  );
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
