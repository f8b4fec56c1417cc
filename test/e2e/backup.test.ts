import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { ClusterList } from '#core/api/cluster.ts';
import type { ReleaseList } from '#core/api/release.ts';
import type { RunList } from '#core/api/run.ts';
import { runCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';

const ROLES = ['server', 'build', 'deploy'] as const;
const docker = connectDocker('unix:///var/run/docker.sock');

const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { images: [{ name: web }], deploy: [{ cluster: here, manifests: deploy/ }] }
`;

const DOCKERFILE = `FROM busybox:1.36
COPY page /www/page
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
`;

const MANIFESTS = `apiVersion: v1
kind: Secret
metadata: { name: web }
stringData: { password: hunter2 }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: web
          env: [{ name: PASSWORD, valueFrom: { secretKeyRef: { name: web, key: password } } }]
          volumeMounts: [{ name: secret, mountPath: /secret }]
          readinessProbe: { httpGet: { path: /page, port: 8080 }, periodSeconds: 1 }
      volumes: [{ name: secret, secret: { secretName: web } }]
`;

describe.sequential('the loss of state folder and Redis', () => {
  let windlass: Windlass;
  let repository: Repository;

  beforeAll(async () => {
    repository = await createRepository();
    windlass = await startWindlass(CONFIG);
    await repository.git('remote', 'add', 'windlass', remote(windlass.token));
    await deploy({ Dockerfile: DOCKERFILE, page: 'one', 'deploy/a.yaml': MANIFESTS });
    await deploy({ page: 'two' });
  });
  afterAll(async () => {
    await windlass.stop();
    await repository.remove();
  });

  function remote(token: string): string {
    return `${windlass.url.replace('//', `//dev:${token}@`)}/git/shop.git`;
  }

  /** And until the pods of the release before are gone. */
  async function deploy(files: Record<string, string>): Promise<void> {
    await repository.commit(files);
    const { output } = await repository.git('push', 'windlass', 'main');
    if (!output.includes('remote: DEPLOYED shop')) throw new Error(output);
    await waitUntil(
      async () => !(await containers()).some((name) => name.startsWith('/deleting-')),
      'the end of the pods before',
    );
  }

  /** Every container of the installation, with when it was started. */
  async function containers(): Promise<string[]> {
    const filters = JSON.stringify({
      label: [`windlass.dev/installation=${windlass.installation}`],
    });
    const signal = AbortSignal.timeout(30_000);
    const listed = await callDocker<{ Id: string }[]>(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters },
      signal,
    });
    const found = listed.map(async ({ Id }) => {
      const path = `/containers/${Id}/json`;
      const { Name, State } = await callDocker<{ Name: string; State: { StartedAt: string } }>(
        docker,
        { method: 'GET', path, signal },
      );
      return `${Name} ${Id} ${State.StartedAt}`;
    });
    return (await Promise.all(found)).toSorted((one, other) => one.localeCompare(other));
  }

  async function logOf(id: string): Promise<string> {
    const { out } = await runCli(windlass, ['logs', id]);
    return out;
  }

  /** Once a controller has looked that was started after `since`, and finds nothing to do. */
  async function untilLookedAt(since: number): Promise<void> {
    await waitUntil(async () => {
      const { clusters } = await windlass.get<ClusterList>('/api/v1/clusters');
      const [here] = clusters;
      const [shop] = here?.owners ?? [];
      return (here?.at ?? 0) > since && shop?.serving === true && shop.plan.length === 0;
    }, 'a controller that finds nothing to do');
  }

  async function restart(...roles: (typeof ROLES)[number][]): Promise<number> {
    const since = Date.now();
    for (const role of roles) await windlass.kill(role);
    for (const role of roles) await windlass.start(role);
    return since;
  }

  it('is made good by a backup: history, desired state and tokens are back, and nothing restarts', async () => {
    const file = join(windlass.folder, 'backup.tar.gz');
    const state = join(windlass.folder, 'state');
    const [runs, releases, running] = await Promise.all([
      windlass.get<RunList>('/api/v1/runs'),
      windlass.get<ReleaseList>('/api/v1/releases/shop/here'),
      containers(),
    ]);
    const [newest] = runs.runs;
    const log = await logOf(newest?.id ?? '');
    expect(log).toContain('COPY page');
    const made = await runCli(windlass, ['backup', file, '--state', state]);
    expect(made).toMatchObject({ code: 0, notes: '' });

    for (const role of ROLES) await windlass.kill(role);
    await rm(state, { recursive: true });
    await windlass.withoutRedis(() => rm(join(windlass.folder, 'redis'), { recursive: true }));
    const restored = await runCli(windlass, ['restore', file, '--state', state]);
    expect(restored).toMatchObject({ code: 0, notes: '' });
    const since = await restart(...ROLES);

    expect(await windlass.get('/api/v1/runs')).toEqual(runs);
    expect(await windlass.get('/api/v1/releases/shop/here')).toEqual(releases);
    expect(await logOf(newest?.id ?? '')).toBe(log);
    await untilLookedAt(since);
    expect(await containers()).toEqual(running);
    expect(await windlass.get('/api/v1/runs')).toEqual(runs);
    await deploy({ page: 'three' });
  });

  it('is not needed to replace tokens: the old ones end, and no Secret looks changed', async () => {
    const state = join(windlass.folder, 'state');
    const running = await containers();
    const { code } = await runCli(windlass, ['token', 'reset', 'all', '--state', state]);
    expect(code).toBe(0);
    const tokens = JSON.parse(await readFile(join(state, 'tokens.json'), 'utf8')) as {
      admin: string;
    };
    async function statusWith(token: string): Promise<number> {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`${windlass.url}/api/v1/runs`, { headers })).status;
    }
    await waitUntil(async () => (await statusWith(windlass.token)) === 401, 'the end of the token');
    expect(await statusWith(tokens.admin)).toBe(200);

    await repository.git('remote', 'set-url', 'windlass', remote(tokens.admin));
    await deploy({ 'README.md': 'Only words' });
    expect(await containers()).toEqual(running);
  });
});
