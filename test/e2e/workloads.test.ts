import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterView } from '#core/api/cluster.ts';
import { runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';

const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: here, manifests: deploy/ }] }
`;

function manifests(word: string, command = 'touch /tmp/up; exec sleep infinity'): string {
  return `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: db
          image: busybox:1.36
          command: [sh, -c, "echo ${word} >> /data/starts; ${command}"]
          volumeMounts: [{ name: data, mountPath: /data }]
          readinessProbe: { exec: { command: [test, -e, /tmp/up] }, periodSeconds: 1 }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec:
  schedule: "@yearly"
  jobTemplate:
    spec:
      template:
        spec: { restartPolicy: Never, containers: [{ name: main, image: "busybox:1.36", command: ["true"] }] }
`;
}

/** Its pods are busy until a file in them is gone. */
function autoscaled(word: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: busybox:1.36
          env: [{ name: WORD, value: ${word} }]
          command: [sh, -c, "touch /tmp/busy; while :; do test -e /tmp/busy || sleep 1; done"]
          resources: { requests: { cpu: 20m }, limits: { cpu: 50m } }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  maxReplicas: 2
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 50 } } }]
  behavior: { scaleDown: { stabilizationWindowSeconds: 0 } }
`;
}

describe.sequential('a StatefulSet, a CronJob and a HorizontalPodAutoscaler', () => {
  let windlass: Windlass;
  let repository: Repository;

  beforeAll(async () => {
    repository = await createRepository();
    windlass = await startWindlass(CONFIG);
    const remote = `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/shop.git`;
    await repository.git('remote', 'add', 'windlass', remote);
  });

  afterAll(async () => {
    await windlass.stop();
    await repository.remove();
  });

  async function push(text: string): Promise<string> {
    await repository.commit({ 'deploy/all.yaml': text });
    return (await repository.git('push', 'windlass', 'main')).output;
  }

  function cli(...args: string[]): Promise<CliResult> {
    return runCli(windlass, args);
  }

  async function pods(): Promise<string[]> {
    const { owners } = await windlass.get<ClusterView>('/api/v1/clusters/here/workloads');
    const all = owners.flatMap(({ resources }) => resources.flatMap((each) => each.pods ?? []));
    return all
      .filter(({ ready }) => ready)
      .map(({ name }) => name)
      .toSorted();
  }

  /** What the pod's volume says of its starts. */
  async function starts(pod: string): Promise<string> {
    const { out } = await cli(
      'exec',
      `pod/${pod}`,
      '--cluster',
      'here',
      '--',
      'cat',
      '/data/starts',
    );
    return out.trim().replaceAll('\n', ' ');
  }

  it('are deployed by a push, which waits for pods and for no time', async () => {
    expect(await push(manifests('one'))).toMatch(/remote: DEPLOYED shop/);
    expect(await pods()).toEqual(['db-0', 'db-1']);
    const { out } = await cli('status');
    expect(out).toMatch(/StatefulSet\/default\/db .*2 of 2 ready\n +db-0 .*\n +db-1 /);
    expect(out).toMatch(/CronJob\/default\/nightly .*next at \d{4}-01-01T00:00Z/);
  });

  it('are back as they were after a release that does not start', async () => {
    expect(await push(manifests('two', 'exit 3'))).toMatch(
      /remote: FAILED shop: .*pod db-1: container db: CrashLoopBackOff/,
    );
    await waitUntil(async () => (await starts('db-1')).endsWith('one'), 'the release before');
    await waitUntil(async () => (await pods()).length === 2, 'both pods');
    expect(await starts('db-0')).toBe('one');
    expect(await starts('db-1')).toMatch(/^one two( two)* one$/);
  });

  it('can be scaled and started again by hand', async () => {
    const { out } = await cli('scale', 'statefulset/db=1', '--cluster', 'here');
    expect(out).toContain('StatefulSet/db of shop/here has 1 replicas');
    await waitUntil(async () => (await pods()).join() === 'db-0', 'one pod');
    await cli('scale', 'statefulset/db', '--cluster', 'here');
    await waitUntil(async () => (await pods()).join() === 'db-0,db-1', 'two pods');
    expect((await cli('restart', 'statefulset/db', '--cluster', 'here')).code).toBe(0);
    await waitUntil(async () => (await starts('db-0')) === 'one one', 'a new pod');
    const { out: why } = await cli('why', 'db-0');
    expect(why).toMatch(/workload +StatefulSet\/default\/db on cluster here/);
  });

  it('leave a busy Deployment to its autoscaler, whose number a push keeps', async () => {
    expect(await push(autoscaled('one'))).toMatch(/remote: DEPLOYED shop/);
    await waitUntil(async () => (await pods()).length === 2, 'a second pod', 90_000);
    const { out } = await cli('status');
    expect(out).toMatch(/HorizontalPodAutoscaler\/default\/web .*2 replicas, cpu \d+ % of 50 %/);
    const byHand = await cli('scale', 'deployment/web=1', '--cluster', 'here');
    expect(byHand.out).toContain('instead of as HorizontalPodAutoscaler/default/web decides');
    await waitUntil(async () => (await pods()).length === 1, 'one pod by hand');
    await cli('scale', 'deployment/web', '--cluster', 'here');
    await waitUntil(async () => (await pods()).length === 2, 'the second pod again', 90_000);
    expect(await push(autoscaled('two'))).toMatch(/remote: DEPLOYED shop/);
    const [first = '', second = ''] = await pods();
    for (const pod of [first, second])
      await cli('exec', `pod/${pod}`, '--cluster', 'here', '--', 'rm', '/tmp/busy');
    await waitUntil(async () => (await pods()).length === 1, 'one pod', 90_000);
  });
});
