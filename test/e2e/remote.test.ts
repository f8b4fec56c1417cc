import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterList } from '#core/api/cluster.ts';
import { createApp, pipelineOf } from '../support/app.ts';
import type { App } from '../support/app.ts';
import { runCli } from '../support/cli.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';
import { startGate } from '../tools/gate.ts';
import type { Gate } from '../tools/gate.ts';
import { startSshServer } from '../tools/sshd.ts';
import type { SshServer } from '../tools/sshd.ts';
import { freeNodePort } from '../tools/process.ts';

const NODE_PORT = await freeNodePort();

describe.sequential('a cluster whose Docker is reached over ssh', () => {
  let folder = '';
  let sshd: SshServer;
  let gate: Gate;
  let windlass: Windlass;
  let app: App;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-remote-'));
    sshd = await startSshServer(join(folder, 'sshd'));
    gate = await startGate({ host: '127.0.0.1', port: sshd.port });
    const { port } = gate.address;
    const knownHosts = join(folder, 'known_hosts');
    await writeFile(knownHosts, sshd.knownHosts.replace(`:${sshd.port}`, `:${port}`));
    const cluster = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec:
  engine: docker
  servers:
    - name: far
      docker: ssh://root@127.0.0.1:${port}
      ssh: { key: { env: FAR_KEY }, knownHosts: { file: ${knownHosts} } }
  reconcile: { intervalSeconds: 5 }
`;
    windlass = await startWindlass(cluster + pipelineOf('shop'), {
      environment: () => Promise.resolve({ deploy: { FAR_KEY: sshd.privateKey } }),
    });
    app = await createApp(windlass, 'shop', NODE_PORT);
  });
  afterAll(async () => {
    await windlass.stop();
    await app.repository.remove();
    await gate.close();
    await sshd.stop();
    await rm(folder, { recursive: true });
  });

  async function problem(): Promise<string> {
    const { clusters } = await windlass.get<ClusterList>('/api/v1/clusters');
    return clusters[0]?.error ?? '';
  }

  it('is deployed to by a push', async () => {
    await app.change('first');
    expect((await app.push()).output).toContain('DEPLOYED shop');
    expect(await app.page()).toBe('first');
  });

  it('runs commands', async () => {
    const command = ['exec', 'deployment/shop', '--cluster', 'here', '--', 'cat'];
    const read = await runCli(windlass, [...command, '/www/page']);
    expect(read).toMatchObject({ code: 0, out: 'first\n' });
  });

  it('is told of while it cannot be reached, goes on serving, and is deployed to again', async () => {
    gate.shut();
    await waitUntil(async () => (await problem()).includes('ssh://root@127.0.0.1'), 'the problem');
    expect(await app.page()).toBe('first');
    gate.open();
    await waitUntil(async () => (await problem()) === '', 'the end of the problem');
    await app.change('second');
    expect((await app.push()).output).toContain('DEPLOYED shop');
    expect(await app.page()).toBe('second');
  });
});
