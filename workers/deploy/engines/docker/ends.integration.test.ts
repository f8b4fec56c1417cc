import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startOwnDockerd } from '../../../../test/tools/dockerd.ts';
import type { OwnDockerd } from '../../../../test/tools/dockerd.ts';
import { createDockerCluster, desire, never, settle } from './testing/docker-cluster.ts';

const image = SYSTEM_IMAGES.sandbox;
const forever = ['sleep', 'infinity'];

function pod(name: string, spec: object): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, ...spec },
  };
}

const pods = [
  pod('done', {
    restartPolicy: 'Never',
    initContainers: [{ name: 'helper', image, restartPolicy: 'Always', command: forever }],
    containers: [{ name: 'done', image, command: ['true'] }],
  }),
  pod('late', {
    activeDeadlineSeconds: 1,
    containers: [{ name: 'late', image, command: forever }],
  }),
  pod('once', {
    restartPolicy: 'Never',
    containers: [{ name: 'once', image, command: forever }],
  }),
  pod('again', {
    restartPolicy: 'OnFailure',
    containers: [{ name: 'again', image, command: forever }],
  }),
];

/** One that no failure of its own is forgiven. */
const job: Resource = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'long' },
  spec: {
    backoffLimit: 0,
    podFailurePolicy: {
      rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }],
    },
    template: {
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'long', image, command: forever }],
      },
    },
  },
};

/** In a line for each pod. */
function told({ resources }: OwnerStatus): string[] {
  return resources.flatMap((resource) =>
    (resource.pods ?? []).map(
      ({ name, phase, reason, containers }) =>
        `${name}: ${[phase, reason].filter(Boolean).join(' ')} ${containers.map((each) => each.state).join(' ')}`,
    ),
  );
}

const cluster = createDockerCluster();
let dockerd: OwnDockerd;

beforeAll(async () => {
  dockerd = await startOwnDockerd(await mkdtemp(join(tmpdir(), 'windlass-ends-')));
});
afterAll(() => dockerd.stop());

it('leaves pods at their end when Docker restarts, and starts again what is to be', async () => {
  const engine = cluster.startEngine({ docker: dockerd.docker });
  async function becomes(expected: readonly string[]): Promise<void> {
    const status = await settle(
      engine,
      desire(pods),
      (now) => now.plan.length === 0 && told(now).join() === expected.join(),
    );
    expect(told(status)).toEqual(expected);
  }
  const before = [
    'done: Succeeded terminated terminated',
    'late: Failed DeadlineExceeded terminated',
  ];
  await becomes([...before, 'once:  running', 'again:  running']);
  const after = [...before, 'once: Failed terminated', 'again:  running'];
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await dockerd.restart(signal);
    await becomes(after);
    const { done } = await engine.reconcile([desire(pods)], never);
    expect(done).toEqual([]);
  }
  await engine.close();
});

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'does not hold against a Job what Docker took with it: %s',
  async (signal) => {
    const engine = cluster.startEngine({ docker: dockerd.docker });
    const desired = desire(
      [{ ...job, metadata: { name: `long-${signal.toLowerCase()}` } }],
      signal,
    );
    function runs({ resources }: OwnerStatus): string[] {
      const pods = resources.flatMap((resource) => resource.pods ?? []);
      return pods.filter(({ ready }) => ready).map(({ name }) => name);
    }
    const [before] = runs(await settle(engine, desired, (now) => runs(now).length === 1));
    await dockerd.restart(signal);
    const status = await settle(
      engine,
      desired,
      (now) => runs(now).some((name) => name !== before) || now.failure !== undefined,
    );
    expect(status.failure).toBeUndefined();
    expect(runs(status)).toEqual([`${before}-1`]);
    await engine.close();
  },
);
