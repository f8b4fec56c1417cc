import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker, DockerError, isPassing, openStream } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';

it.each([
  [400, false],
  [404, false],
  [409, false],
  [429, true],
  [500, true],
  [503, true],
])('knows whether what Docker refused with %i may pass', (status, passes) => {
  expect(isPassing(new DockerError(status, 'no'))).toBe(passes);
});

describe('an answer', () => {
  const BROKEN = { code: 'unavailable' };
  const { signal } = new AbortController();
  const bodies: Record<string, string> = {
    '/json': '{"Id": "1"}',
    '/null': 'null\n',
    '/text': 'OK',
    '/nothing': '',
    '/a%20b%E2%82%AC': '"encoded"',
    '/other': '{"error": "not allowed here"}',
    '/unusual': '{"code": 7}',
  };
  /** Breaks off in the middle of each answer under /broken, of whatever status is asked for. */
  const server = createServer((request, response) => {
    const [, kind = '', status = '200'] = (request.url ?? '').replace(/\?.*/, '').split('/');
    if (kind !== 'broken') {
      response
        .writeHead(Number(status))
        .end(bodies[`/${kind}`] ?? '{"message": "it is not there"}');
      return;
    }
    response.writeHead(Number(status), { 'content-length': 100 });
    response.write('{"message": "a pa', () => request.socket.destroy());
  });
  let folder: string;
  let docker: ReturnType<typeof connectDocker>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-call-'));
    const path = join(folder, 'docker.sock');
    await once(server.listen(path), 'listening');
    docker = connectDocker(`unix://${path}`);
  });
  afterAll(async () => {
    server.close();
    await once(server, 'close');
    await rm(folder, { recursive: true });
  });

  it.each([200, 404, 500])(
    'that breaks off is an error, of status %i too',
    async (status) => {
      const request = { method: 'GET', path: `/broken/${status}`, signal } as const;
      await expect(callDocker(docker, request)).rejects.toMatchObject(BROKEN);
    },
    5_000,
  );

  it.each([404, 500])(
    'of status %i that breaks off opens no stream',
    async (status) => {
      const request = { method: 'GET', path: `/broken/${status}`, signal } as const;
      await expect(openStream(docker, request)).rejects.toMatchObject(BROKEN);
    },
    5_000,
  );

  it.each([
    ['json', { Id: '1' }],
    ['null', null],
    ['text', Buffer.from('OK')],
    ['nothing', Buffer.from('')],
    ['a b€', 'encoded'],
  ])('of %s is read', async (path, expected) => {
    expect(await callDocker(docker, { method: 'GET', path: `/${path}`, signal })).toEqual(expected);
  });

  it('is streamed', async () => {
    expect(await text(await openStream(docker, { method: 'GET', path: '/json', signal }))).toBe(
      '{"Id": "1"}',
    );
  });

  it.each([
    ['other', 'not allowed here'],
    ['unusual', '{"code":7}'],
    ['text', 'OK'],
    ['nothing', ''],
  ])('of a refusal that is not of Docker is told too: %s', async (path, message) => {
    const request = { method: 'GET', path: `/${path}/403`, signal } as const;
    await expect(callDocker(docker, request)).rejects.toEqual(new DockerError(403, message));
  });

  it('of a refusal is told in the words of Docker', async () => {
    const refusal = new DockerError(409, 'it is not there');
    const request = { method: 'POST', path: '/refused/409', signal } as const;
    await expect(callDocker(docker, request)).rejects.toEqual(refusal);
    await expect(openStream(docker, request)).rejects.toEqual(refusal);
  });
});
