import { createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Queue } from 'bullmq';
import { connectRedis } from '#adapters/store/redis.ts';
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
  source: { url: "https://forge.invalid/bench-${index}.git", branches: [${BRANCHES.join(', ')}], webhookSecret: { env: WEBHOOK_SECRET } }
  images: [{ name: web }]
`,
).join('---\n');

/** A burst of signed webhooks until each is answered, and so recorded and queued, beside as many jobs added to a bare queue. */
export async function webhooks(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const redis = await startRedis(folder);
  const connection = connectRedis(redis.url);
  const queue = new Queue('bench', { connection });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const times = { ours: [] as number[], peer: [] as number[] };
  try {
    // Only the acceptance is measured, not what workers do of it.
    await windlass.kill('build');
    await windlass.kill('deploy');
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const ours = await timed((index) =>
        sendWebhook(agent, windlass.url, `bench-${index}`, `round-${round}`),
      );
      const peer = await timed(async (index) => {
        await queue.add('build', { index });
      });
      if (round < WARM_UP) continue;
      times.ours.push(ours);
      times.peer.push(peer);
    }
  } finally {
    agent.destroy();
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

async function timed(one: (index: number) => Promise<void>): Promise<number> {
  const begun = performance.now();
  let next = 0;
  async function work(): Promise<void> {
    while (next < WEBHOOKS) {
      next += 1;
      await one(next - 1);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return performance.now() - begun;
}

async function sendWebhook(
  agent: Agent,
  url: string,
  repository: string,
  branch: string,
): Promise<void> {
  const after = randomBytes(20).toString('hex');
  const body = JSON.stringify({
    ref: `refs/heads/${branch}`,
    before: '0'.repeat(40),
    after,
    repository: { clone_url: `https://forge.invalid/${repository}.git` },
    pusher: { name: 'bench' },
  });
  const signature = createHmac('sha256', 'webhook secret').update(body).digest('hex');
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': after,
    'x-hub-signature-256': `sha256=${signature}`,
  };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const call = request(`${url}/webhooks/github`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode));
    });
    call.once('error', reject);
    call.end(body);
  });
  if (status !== 202) throw new Error(`a webhook was answered with ${status}`);
}
