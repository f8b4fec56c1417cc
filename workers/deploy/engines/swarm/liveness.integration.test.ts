import { afterAll, beforeAll, expect, it } from 'vitest';
import { packArchive } from '#adapters/docker/archive.ts';
import { callDocker } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { messageOf } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { ListedTask } from './listed.ts';
import { desire, never, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

/** It has a server, a page and nothing else: no shell, and no folder in which programs are looked for. */
const SCRATCH = 'scratch:1';

const SET_UP_MS = 300_000;
const PATIENCE = { timeout: 60_000, interval: 500 };

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
  const from = `FROM scratch\nCOPY --from=${SYSTEM_IMAGES.probe} /bin/busybox /\nCOPY alive /www/\n`;
  const file = await packArchive([
    { kind: 'file', path: 'Dockerfile', content: from, mode: 0o644 },
    { kind: 'file', path: 'alive', content: 'yes', mode: 0o644 },
  ]);
  const build = {
    method: 'POST',
    path: '/build',
    query: { t: SCRATCH },
    file,
    signal: never,
  } as const;
  const said = String(await callDocker(swarm.docker, build));
  if (!said.includes('Successfully built')) throw new Error(said);
}, SET_UP_MS);
afterAll(() => swarm?.stop());

function deployment(name: string, livenessProbe: object, replicas = 1): Resource {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'web',
              image: SCRATCH,
              command: ['/busybox', 'httpd', '-f', '-p', '8080', '-h', '/www'],
              livenessProbe: {
                periodSeconds: 1,
                failureThreshold: 2,
                timeoutSeconds: 5,
                ...livenessProbe,
              },
            },
          ],
        },
      },
    },
  };
}

async function running(): Promise<ListedTask[]> {
  return (await swarm.list<ListedTask>('/tasks')).filter(
    ({ Status }) => Status.State === 'running',
  );
}

function containerOf(task: ListedTask | undefined): string {
  return task?.Status.ContainerStatus?.ContainerID ?? '';
}

function webOf({ resources }: OwnerStatus): object[] {
  return (resources[0]?.pods ?? []).flatMap(({ containers }) => containers);
}

it('makes a task anew that does not answer, and no other, where the image has a server and nothing else', async () => {
  const engine = swarm.startEngine({ declared: false });
  const wanted = desire([deployment('web', { httpGet: { path: '/alive', port: 8080 } }, 2)]);
  await settle(engine, wanted);
  const before = await running();
  const [ill, other] = before;
  const command = ['/busybox', 'rm', '/www/alive'];
  await runInContainer(swarm.docker, { container: containerOf(ill), command }, never);
  const after = await settle(
    engine,
    wanted,
    (status) => status.serving && webOf(status).some((container) => 'last' in container),
  );
  expect(webOf(after)).toContainEqual(
    expect.objectContaining({
      restarts: 1,
      last: expect.objectContaining({
        message: expect.stringContaining('liveness probe failed: HTTP 404') as string,
      }) as object,
    }),
  );
  const now = (await running()).map(({ ID }) => ID);
  expect(now).toContain(other?.ID);
  expect(now).not.toContain(ill?.ID);
  const all = '/containers/json?all=true';
  const filled = {
    State: 'exited',
    Labels: expect.objectContaining({ 'windlass.dev/role': 'probes' }) as object,
  };
  expect(await swarm.list(all)).toContainEqual(expect.objectContaining(filled));
  // A task that is still ending keeps the cluster's own from being removed.
  await expect
    .poll(() => engine.reconcile([desire([])], never).then(() => 'done', messageOf), PATIENCE)
    .toBe('done');
  expect(await swarm.list(all)).not.toContainEqual(expect.objectContaining(filled));
});

it('tells of a task that never answers', async () => {
  const engine = swarm.startEngine();
  const wanted = desire([deployment('web', { tcpSocket: { port: 1 } })]);
  const says = 'liveness probe failed: connection refused';
  const { resources } = await settle(
    engine,
    wanted,
    (status) => status.resources[0]?.health.reason.includes(says) === true,
  );
  expect(resources[0]?.health.status).not.toBe('Healthy');
  await settle(engine, desire([]));
});
