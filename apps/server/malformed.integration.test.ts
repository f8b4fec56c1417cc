import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ErrorBody } from '#core/api/error.ts';
import { openApiDocument } from '#core/api/openapi.ts';
import { damaged, RUNS } from '../../test/malformed/generate.ts';
import { startRedis } from '../../test/tools/redis.ts';
import type { Running } from '../../test/tools/process.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';

const SECRET = 'shared secret';
/** Whoever is not answered by then hangs: a plan waits for a worker, of which there is none here, for a minute. */
const ANSWER_MS = 90_000;
const GROWTH_BYTES = 256 * 1_024 * 1_024;
const CONFIGURATION = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: local, manifests: deploy }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: forge }
spec:
  source: { url: "https://forge.example/team/app.git", webhookSecret: { env: HOOK }, pollSeconds: 0 }
  deploy: [{ cluster: local, manifests: deploy }]
`;

let folder: string;
let redis: Running & { url: string };
let server: RunningServer;
let errors: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-malformed-'));
  redis = await startRedis(join(folder, 'redis'));
  await mkdir(join(folder, 'config', 'pipelines'), { recursive: true });
  await writeFile(join(folder, 'config', 'pipelines', 'all.yaml'), CONFIGURATION);
  errors = [];
  server = await startServer({
    stateDir: join(folder, 'state'),
    listen: '127.0.0.1:0',
    redisUrl: redis.url,
    config: join(folder, 'config'),
    environment: { PATH: process.env['PATH'], HOOK: SECRET },
    log: pino({ level: 'error' }, { write: (line) => void errors.push(line) }),
  });
});

afterEach(async () => {
  const alive = await fetch(`${server.url}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!alive.ok || errors.length > 0)
    throw new Error(`the server failed: ${alive.status} ${errors.join('')}`);
});

afterAll(async () => {
  await server.close();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Sent {
  method: string;
  /** Sent as it is, also where it is no valid path. */
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

function send({ method, path, headers = {}, body }: Sent): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          text: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    sent.setTimeout(ANSWER_MS, () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Taken, or refused in words that help: never a failure of the server, but for the worker that is not there. */
function expectClear({ status, type, text }: Answer): void {
  expect(status >= 500 && status !== 503 ? text.slice(0, 300) : '').toBe('');
  if (status < 400 || !type.includes('json')) return;
  const { error } = ErrorBody.parse(JSON.parse(text));
  expect(error.message).not.toBe('');
  expect(error.message).not.toMatch(/undefined|\[object|TypeError|ZodError/);
}

function admin(): Record<string, string> {
  return { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' };
}

/** The same each time, unless more is asked for. */
const runs = { numRuns: RUNS, ...(process.env['RUNS'] === undefined ? { seed: 1 } : {}) };
const LONG = 900_000;

describe('webhooks', () => {
  const PUSH = {
    ref: 'refs/heads/main',
    before: 'a'.repeat(40),
    after: 'b'.repeat(40),
    pusher: { name: 'ann' },
    repository: {
      clone_url: 'https://forge.example/team/app.git',
      ssh_url: 'git@forge.example:team/app.git',
      html_url: 'https://forge.example/team/app',
    },
  };
  const GENERIC = {
    url: 'https://forge.example/team/app.git',
    ref: 'refs/heads/main',
    commit: 'b'.repeat(40),
    before: 'a'.repeat(40),
    who: 'ann',
  };

  function deliver(kind: 'github' | 'generic', body: Buffer, isSigned: boolean): Promise<Answer> {
    const digest = createHmac('sha256', isSigned ? SECRET : 'wrong')
      .update(body)
      .digest('hex');
    const name = kind === 'github' ? 'x-hub-signature-256' : 'x-windlass-signature-256';
    const headers = {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': digest,
      [name]: `sha256=${digest}`,
    };
    return send({ method: 'POST', path: `/webhooks/${kind}`, headers, body });
  }

  it(
    'that were altered are taken or refused, and nothing without its signature',
    async () => {
      const bodies = fc.oneof(
        {
          weight: 4,
          arbitrary: damaged([PUSH, GENERIC]).map((value) => Buffer.from(JSON.stringify(value))),
        },
        {
          weight: 1,
          arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        },
      );
      await fc.assert(
        fc.asyncProperty(
          bodies,
          fc.constantFrom('github' as const, 'generic' as const),
          fc.boolean(),
          async (body, kind, isSigned) => {
            const answer = await deliver(kind, body, isSigned);
            expectClear(answer);
            expect(isSigned || answer.status === 401).toBe(true);
          },
        ),
        runs,
      );
    },
    LONG,
  );
});

describe('the API', () => {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
  const BODIES = [
    { pipeline: 'shop', entry: 'local', to: 'a'.repeat(40) },
    { workload: 'Deployment/web', namespace: 'default', replicas: 2, forSeconds: 60, reason: 'x' },
    { release: 'a'.repeat(40) },
    { pipeline: 'shop', entry: 'local', manifests: { 'a.yaml': 'kind: x' } },
    { cascade: true },
  ];
  const part = fc.oneof(
    fc.constantFrom(
      'shop',
      'local',
      '..',
      '%2e%2e',
      '%00',
      '%',
      '%zz',
      '__proto__',
      'a/b',
      '%20',
      '?',
    ),
    fc.string({ maxLength: 30 }).map(encoded),
  );
  const query = fc
    .array(
      fc.tuple(
        fc.constantFrom('limit', 'follow', 'pipeline', 'workload', 'namespace', 'tail', 'x'),
        fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('0', '-1', '1e9', 'Deployment/web')),
      ),
      { maxLength: 4 },
    )
    // What follows goes on without end.
    .map((pairs) => pairs.filter(([name, value]) => !(name === 'follow' && value === '1')))
    .map((pairs) => pairs.map(([name, value]) => `${name}=${encoded(value)}`).join('&'));

  it(
    'takes or refuses whatever it is asked',
    async () => {
      const asked = fc.record({
        // The stream of events has no end.
        route: fc.constantFrom(...routes.filter(({ path }) => path !== '/events')),
        parts: fc.array(part, { minLength: 3, maxLength: 3 }),
        query,
        body: fc.oneof(
          damaged(BODIES).map((value) => JSON.stringify(value) ?? ''),
          fc.string({ unit: 'binary', maxLength: 100 }),
        ),
      });
      await fc.assert(
        fc.asyncProperty(asked, async ({ route, parts, query: search, body }) => {
          let index = 0;
          const path = route.path.replace(/\{\w+\}/g, () => parts[index++] ?? 'x');
          const answer = await send({
            method: route.method,
            path: `/api/v1${path}?${search}`,
            headers: admin(),
            ...(route.method === 'POST' ? { body } : {}),
          });
          expectClear(answer);
        }),
        runs,
      );
    },
    LONG,
  );

  it('refuses a body without end', async () => {
    const body = Buffer.alloc(12 * 1_024 * 1_024, 'x');
    const answer = await send({
      method: 'POST',
      path: '/api/v1/rollback',
      headers: admin(),
      body,
    }).catch((error: unknown) => error as NodeJS.ErrnoException);
    // It hangs up on who goes on sending.
    expect(answer instanceof Error ? answer.code : `${answer.status}`).toMatch(
      /^(413|EPIPE|ECONNRESET)$/,
    );
  });
});

describe('git over HTTP', () => {
  const services = ['git-upload-pack', 'git-receive-pack'] as const;
  const line = fc.oneof(
    fc.constantFrom(
      '0000',
      '0001',
      '0004',
      'ffff',
      '0014command=ls-refs\n',
      `0032want ${'a'.repeat(40)}\n`,
      `0067${'0'.repeat(40)} ${'b'.repeat(40)} refs/heads/main\0 report-status`,
      `006a${'0'.repeat(40)} ${'b'.repeat(40)} refs/heads/../../x\0 report-status\n`,
      'PACK\0\0\0\x02\0\0\0\x01',
      '0009done\n',
    ),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  const bodies = fc
    .tuple(
      fc.array(line, { maxLength: 6 }),
      fc.constantFrom('plain', 'gzip', 'cut gzip', 'no gzip'),
    )
    .map(([lines, how]) => {
      const plain = Buffer.from(lines.join(''), 'latin1');
      const packed = gzipSync(plain);
      if (how === 'plain') return { body: plain, headers: {} };
      const body = { gzip: packed, 'cut gzip': packed.subarray(0, 15), 'no gzip': plain }[how];
      return { body: body ?? plain, headers: { 'content-encoding': 'gzip' } };
    });

  it(
    'answers or refuses whatever is sent',
    async () => {
      const asked = fc.record({
        repository: fc.constantFrom('shop', 'config', 'releases/shop', '..', 'nobody', 'sh%6fp'),
        service: fc.constantFrom(...services),
        sent: bodies,
        version: fc.constantFrom('', 'version=2', 'version=1', 'version=99'),
      });
      await fc.assert(
        fc.asyncProperty(asked, async ({ repository, service, sent, version }) => {
          const answer = await send({
            method: 'POST',
            path: `/git/${repository}.git/${service}`,
            headers: {
              ...admin(),
              ...sent.headers,
              'content-type': `application/x-${service}-request`,
              ...(version === '' ? {} : { 'git-protocol': version }),
            },
            body: sent.body,
          });
          expect(answer.status).toBeLessThan(500);
        }),
        { numRuns: Math.ceil(RUNS / 3) },
      );
    },
    LONG,
  );

  it(
    'is not filled by what unpacks to very much',
    async () => {
      // By another process, so that its memory is not taken for the server's.
      const { stdout: bomb } = await promisify(execFile)(
        'sh',
        ['-c', 'head -c 512M /dev/zero | gzip'],
        { encoding: 'buffer', maxBuffer: 10_000_000 },
      );
      const before = process.memoryUsage().rss;
      const answers = await Promise.allSettled(
        services.map((service) =>
          send({
            method: 'POST',
            path: `/git/shop.git/${service}`,
            headers: {
              ...admin(),
              'content-encoding': 'gzip',
              'content-type': `application/x-${service}-request`,
            },
            body: bomb,
          }),
        ),
      );
      const failed = answers.filter(
        (answer) => answer.status === 'fulfilled' && answer.value.status >= 500,
      );
      expect(failed).toEqual([]);
      expect(process.memoryUsage().rss - before).toBeLessThan(GROWTH_BYTES);
    },
    LONG,
  );
});

describe('connections', () => {
  it(
    'that send no HTTP are closed, and those that stop are let wait',
    async () => {
      const { hostname, port } = new URL(server.url);
      const starts = fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        fc.constantFrom(
          Buffer.from('GET / HTTP/1.1\r\n'),
          Buffer.from('POST /webhooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{'),
          Buffer.from(`GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`),
          Buffer.from('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n'),
          Buffer.from(
            'GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
          ),
        ),
      );
      await fc.assert(
        fc.asyncProperty(starts, async (bytes) => {
          const socket = connect(Number(port), hostname);
          const answer = await new Promise<string>((resolve) => {
            let text = '';
            function done(): void {
              resolve(text);
            }
            socket.on('data', (chunk: Buffer) => {
              text += chunk.toString('latin1');
            });
            socket.on('error', done).on('close', done);
            socket.write(bytes);
            setTimeout(done, 100);
          });
          socket.destroy();
          expect(answer).not.toMatch(/^HTTP\/1\.1 5/);
        }),
        { numRuns: Math.ceil(RUNS / 6) },
      );
    },
    LONG,
  );
});

/** Of text that may hold halves of characters too. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
