import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packArchive, readFile } from '#adapters/docker/archive.ts';
import { connectDocker } from '#adapters/docker/connect.ts';

const TEXT = 'worker_processes 1;\n'.repeat(10_000);

describe('a file of a container', () => {
  const { signal } = new AbortController();
  const server = createServer((request, response) => {
    void (async () => {
      const archive = await packArchive([
        { kind: 'file', path: 'nginx.conf', content: TEXT, mode: 0o644 },
      ]);
      if (request.url?.includes('broken') === true) {
        response.write(archive.subarray(0, 10_000), () => request.socket.destroy());
        return;
      }
      // What ends an archive comes last, and says nothing more.
      response.write(archive.subarray(0, -1_000));
      await sleep(20);
      response.end(archive.subarray(-1_000));
    })();
  });
  let folder: string;
  let docker: ReturnType<typeof connectDocker>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-archive-'));
    const path = join(folder, 'docker.sock');
    await once(server.listen(path), 'listening');
    docker = connectDocker(`unix://${path}`);
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await rm(folder, { recursive: true });
  });

  it('is read again and again over the one connection', async () => {
    for (let times = 0; times < 5; times += 1)
      expect(await readFile(docker, 'proxy', '/nginx.conf', signal)).toBe(TEXT);
    expect(await promisify(server.getConnections.bind(server))()).toBe(1);
  }, 10_000);

  it('whose connection breaks is not read', async () => {
    await expect(readFile(docker, 'broken', '/nginx.conf', signal)).rejects.toMatchObject({
      code: 'unavailable',
    });
  }, 10_000);
});
