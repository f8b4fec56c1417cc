import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import { Notice } from '#core/notify/notice.ts';
import { newRun } from '#core/run/new-run.ts';
import { startRedis } from '../../../test/tools/redis.ts';
import type { Running } from '../../../test/tools/process.ts';
import { startServer } from '../server.ts';
import type { RunningServer, ServerOptions } from '../server.ts';

const SILENT = 0;
const AWAY = -1;
const KEY = 'shared secret';
const LATE = { timeout: 30_000, interval: 100 };
/** Some looks for news. */
const LOOKS_MS = 5_000;

interface Receiver {
  url: string;
  /** What it took, oldest first. */
  taken: { path: string; body: unknown; signed: boolean }[];
  /** What it answers from now on, and how long after; SILENT is nothing at all, AWAY ends connections. */
  answer(status: number, afterMs?: number): void;
  asked: () => number;
  close(): Promise<void>;
}

async function startReceiver(): Promise<Receiver> {
  const taken: Receiver['taken'] = [];
  let status = 204;
  let asked = 0;
  let pauseMs = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      asked += 1;
      // Whoever sees what was taken may have it answer otherwise at once.
      const [answer, waitMs] = [status, pauseMs];
      if (answer === AWAY) request.socket.destroy();
      if (answer === SILENT || answer === AWAY) return;
      const {
        'webhook-id': id,
        'webhook-timestamp': at,
        'webhook-signature': said,
      } = request.headers;
      const digest = createHmac('sha256', KEY)
        .update(`${String(id)}.${String(at)}.${body}`)
        .digest('base64');
      if (answer < 300)
        taken.push({
          path: request.url ?? '',
          body: JSON.parse(body),
          signed: said === `v1,${digest}`,
        });
      await sleep(waitMs);
      response.writeHead(answer).end();
    })();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    answer(next, afterMs = 0) {
      [status, pauseMs] = [next, afterMs];
    },
    asked: () => asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe.sequential('notifications', () => {
  let folder: string;
  let redis: Running & { url: string };
  let options: ServerOptions;
  let server: RunningServer;
  let first: Receiver;
  let chat: Receiver;
  let store: ReturnType<typeof connectRedis>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-notify-'));
    [redis, first, chat] = await Promise.all([
      startRedis(join(folder, 'redis')),
      startReceiver(),
      startReceiver(),
    ]);
    const config = join(folder, 'config');
    await mkdir(join(config, 'pipelines'), { recursive: true });
    await writeFile(
      join(config, 'pipelines', 'all.yaml'),
      `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec:
  images: [{ name: web }]
  notify:
    - { url: "${first.url}/hook", secret: { env: KEY } }
    - { urlFrom: { env: CHAT }, format: slack }
`,
    );
    options = {
      stateDir: join(folder, 'state'),
      listen: '127.0.0.1:0',
      redisUrl: redis.url,
      config,
      environment: { PATH: process.env['PATH'], KEY, CHAT: `${chat.url}/token` },
      log: pino({ level: 'silent' }),
    };
    server = await startServer(options);
    store = connectRedis(redis.url);
    await sleep(LOOKS_MS);
  }, 60_000);

  afterAll(async () => {
    await server.close();
    store.disconnect();
    await redis.stop();
    await Promise.all([first.close(), chat.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** A run that ends so, as workers would have it. */
  async function runEnds(state: 'failed' | 'succeeded'): Promise<string> {
    const runs = createRunStore(store);
    const id = randomBytes(6).toString('hex');
    const trigger = {
      kind: 'push',
      ref: 'refs/heads/main',
      after: 'a'.repeat(40),
      who: 'ann',
    } as const;
    const spec = PipelineSpec.parse({});
    const at = Date.now();
    await runs.record([{ runs: [newRun({ id, pipeline: 'shop', spec, trigger, at })] }]);
    await runs.apply(id, { kind: 'started', at });
    if (state === 'failed') await runs.apply(id, { kind: 'failed', reason: 'the test failed', at });
    else await runs.apply(id, { kind: 'rendered', at });
    return id;
  }

  function kinds(receiver: Receiver): string[] {
    return receiver.taken.map(({ body }) => Notice.parse(body).id);
  }

  it('are sent once for each failure, signed, and as a chat takes it', async () => {
    const id = await runEnds('failed');
    await vi.waitFor(() => {
      expect(kinds(first)).toEqual([`run-${id}-failure`]);
      expect(chat.taken).toHaveLength(1);
    }, LATE);
    expect(first.taken[0]).toMatchObject({
      path: '/hook',
      signed: true,
      body: { kind: 'failure', pipeline: 'shop', reason: 'the test failed' },
    });
    expect(chat.taken[0]).toMatchObject({
      path: '/token',
      body: { text: `shop: run ${id} of main at aaaaaaaa by ann failed: the test failed` },
    });
  }, 60_000);

  it('are not sent again by a server that starts', async () => {
    await server.close();
    server = await startServer(options);
    await sleep(LOOKS_MS);
    expect(first.taken).toHaveLength(1);
    expect(chat.taken).toHaveLength(1);
  }, 60_000);

  it('are not sent again where the server ended before it was answered', async () => {
    const before = { first: first.taken.length, chat: chat.taken.length };
    first.answer(204, 1_000);
    await runEnds('failed');
    await vi.waitFor(() => expect(first.taken).toHaveLength(before.first + 1), {
      ...LATE,
      interval: 10,
    });
    await server.close();
    first.answer(204);
    server = await startServer(options);
    await sleep(LOOKS_MS);
    expect(first.taken).toHaveLength(before.first + 1);
    expect(chat.taken).toHaveLength(before.chat + 1);
  }, 60_000);

  it.each([500, AWAY])(
    'wait for a receiver that answers %i, in their order, and hold up no other',
    async (trouble) => {
      const before = { first: first.taken.length, chat: chat.taken.length };
      first.answer(trouble);
      const failed = await runEnds('failed');
      await vi.waitFor(() => expect(chat.taken).toHaveLength(before.chat + 1), LATE);
      const asked = first.asked();
      const recovered = await runEnds('succeeded');
      await vi.waitFor(() => expect(chat.taken).toHaveLength(before.chat + 2), LATE);
      expect(chat.taken.at(-1)?.body).toEqual({
        text: `shop: run ${recovered} of main at aaaaaaaa by ann succeeded again`,
      });
      expect(first.taken).toHaveLength(before.first);
      await server.close();
      first.answer(204);
      server = await startServer(options);
      await vi.waitFor(() => {
        expect(kinds(first).slice(before.first)).toEqual([
          `run-${failed}-failure`,
          `run-${recovered}-recovery`,
        ]);
      }, LATE);
      expect(first.asked()).toBeGreaterThan(asked);
    },
    90_000,
  );

  it('go on when a receiver never answers', async () => {
    first.answer(SILENT);
    const before = chat.taken.length;
    await runEnds('failed');
    await vi.waitFor(() => expect(chat.taken).toHaveLength(before + 1), LATE);
    await runEnds('failed');
    await vi.waitFor(() => expect(chat.taken).toHaveLength(before + 2), LATE);
  }, 90_000);
});
