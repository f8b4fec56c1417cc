import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type {
  DesiredState,
  Engine,
  OwnerStatus,
  Reconciliation,
  SessionTarget,
} from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from './engine.ts';
import { enterCluster } from './testing/cluster-guest.ts';
import type { ClusterGuest } from './testing/cluster-guest.ts';
import { connectCluster } from './testing/connect-cluster.ts';
import { passesUntil } from './testing/passes.ts';
import { readyNode } from './testing/ready-node.ts';

const NEVER = new AbortController().signal;
/** The node has it, or can pull it. */
const IMAGE = 'busybox:1.36';
/** Nothing that is told here is told because of a deadline. */
const LONG_S = 3_600;

const client = await connectCluster();
const node = await readyNode(client);
client.close();

describe('pods on a node', () => {
  const id = randomBytes(4).toString('hex');
  let hand: KubeClient;
  let guest: ClusterGuest;
  let engine: Engine;

  beforeAll(async () => {
    hand = await connectCluster();
    guest = await enterCluster(hand, id);
    engine = createKubernetesEngine({
      cluster: 'test',
      installation: `test-${id}`,
      sealKey: 'k',
      log: pino({ level: 'silent' }),
      client: await connectCluster(),
    });
  });
  afterAll(async () => {
    await engine?.close();
    await guest?.leave();
    hand?.close();
  });

  /** Each test is an owner of its own. */
  function desire(name: string, ...resources: Resource[]): DesiredState {
    return { owner: `${id}/${name}`, release: name, resources };
  }

  function web(name: string, script: string, container: object = {}): Resource {
    const labels = { app: name };
    const command = ['sh', '-c', script];
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: guest.namespace },
      spec: {
        progressDeadlineSeconds: LONG_S,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'web', image: IMAGE, command, ...container }],
          },
        },
      },
    };
  }

  function job(name: string, script: string, annotations: Record<string, string>): Resource {
    const containers = [{ name: 'main', image: IMAGE, command: ['sh', '-c', script] }];
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: guest.namespace, annotations },
      spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers } } },
    };
  }

  function serves({ serving }: OwnerStatus): boolean {
    return serving;
  }

  function fails({ failure }: OwnerStatus): boolean {
    return failure !== undefined;
  }

  function targetOf(name: string, kind = 'Deployment'): SessionTarget {
    return { namespace: guest.namespace, workload: `${kind}/${guest.namespace}/${name}` };
  }

  async function logsOf(target: SessionTarget): Promise<string[]> {
    const lines: string[] = [];
    for await (const { line } of engine.logs(target, { follow: false }, NEVER)) lines.push(line);
    return lines;
  }

  async function run(
    target: SessionTarget,
    command: string[],
    input = '',
  ): Promise<{ output: string; exitCode: number }> {
    const place = await engine.locate(target, NEVER);
    const session = await engine.exec(place, { command }, NEVER);
    if (input !== '') await session.write(Buffer.from(input));
    session.end();
    const output: Uint8Array[] = [];
    for await (const { data } of session.output) output.push(data);
    return { output: Buffer.concat(output).toString(), exitCode: await session.exitCode() };
  }

  describe.skipIf(node === undefined)('which is there, and ready', () => {
    it('are rolled out, and what they write is told', async () => {
      const first = web('rolled', 'echo first; sleep 100000');
      await passesUntil(engine, desire('rolled', first), serves);
      expect(await logsOf(targetOf('rolled'))).toEqual(['first']);
      const second = web('rolled', 'echo second; sleep 100000');
      const status = await passesUntil(
        engine,
        desire('rolled', second),
        ({ serving, resources }) => serving && resources[0]?.pods?.length === 1,
      );
      expect(status.resources[0]).toMatchObject({ summary: '1 of 1 ready' });
      expect(await logsOf(targetOf('rolled'))).toEqual(['second']);
    });

    it('run commands with input, and tell how they ended', async () => {
      await passesUntil(engine, desire('runs', web('runs', 'sleep 100000')), serves);
      const script = 'read word; echo "got $word"; exit 7';
      expect(await run(targetOf('runs'), ['sh', '-c', script], 'it\n')).toEqual({
        output: 'got it\n',
        exitCode: 7,
      });
    });

    it('whose image cannot be had fail the release at once', async () => {
      const lacking = web('lacking', 'true', { image: '127.0.0.1:1/lacking:1' });
      const { failure } = await passesUntil(engine, desire('lacking', lacking), fails);
      expect(failure).toMatch(
        /^Deployment\/\S+lacking: web in lacking-\S+: ImagePullBackOff: .*127/,
      );
    });

    it('that crash fail the release once they have three times, with what they wrote last', async () => {
      const crashing = web('crashing', 'echo no database; exit 3');
      const { failure } = await passesUntil(engine, desire('crashing', crashing), fails);
      expect(failure).toMatch(
        /CrashLoopBackOff: exit code 3, [3-9] restarts; last lines: no database$/,
      );
    });

    it('of a hook that fails fail the release, and nothing else of it is made', async () => {
      const script = 'echo table is locked; exit 4';
      const hook = job('migrate', script, { 'windlass.dev/hook': 'before' });
      const after = web('after', 'sleep 100000');
      const status = await passesUntil(engine, desire('hooked', hook, after), fails);
      expect(status.failure).toMatch(/migrate.*exit code 4.*table is locked/);
      const deployment = status.resources.find(({ key }) => key.endsWith('/after'));
      expect(deployment?.health.status).toBe('Missing');
    });

    it('of a hook beside them end while they are not ready, and hold the next wave up', async () => {
      const beside = job('beside', 'exit 0', { 'argocd.argoproj.io/hook': 'Sync' });
      const readinessProbe = { exec: { command: ['test', '-f', '/ready'] }, periodSeconds: 1 };
      const gated = web('beside-gated', 'sleep 100000', { readinessProbe });
      const late = web('beside-late', 'sleep 100000');
      late.metadata.annotations = { 'windlass.dev/wave': '1' };
      const desired = desire('beside', late, gated, beside);
      const path = `/apis/batch/v1/namespaces/${guest.namespace}/jobs/beside`;
      await passesUntil(
        engine,
        desired,
        ({ plan }) => plan.length === 1 && plan[0]?.key.endsWith('/beside-late') === true,
      );
      const { body } = await hand.call({ method: 'GET', path }, NEVER);
      expect(body).toMatchObject({ status: { succeeded: 1 } });
      await run(targetOf('beside-gated'), ['touch', '/ready']);
      const { resources } = await passesUntil(engine, desired, serves);
      expect(resources.map(({ health }) => health.status)).toEqual(['Healthy', 'Healthy']);
    });

    it('of a hook beside them that fails let the one for a failure run before that is told', async () => {
      const script = 'echo disk is full; exit 5';
      const beside = job('spoils', script, { 'argocd.argoproj.io/hook': 'Sync' });
      const tells = job('tells', 'sleep 1', { 'argocd.argoproj.io/hook': 'SyncFail' });
      const late = web('spoils-late', 'sleep 100000');
      late.metadata.annotations = { 'windlass.dev/wave': '1' };
      const desired = desire('spoils', beside, tells, web('spoils-beside', 'sleep 100000'), late);
      const { failure, resources } = await passesUntil(engine, desired, fails);
      expect(failure).toMatch(/spoils.*hook, sync.*exit code 5.*disk is full/);
      const path = `/apis/batch/v1/namespaces/${guest.namespace}/jobs/tells`;
      const { body } = await hand.call({ method: 'GET', path }, NEVER);
      expect(body).toMatchObject({ status: { succeeded: 1 } });
      const missing = resources.find(({ key }) => key.endsWith('/spoils-late'));
      expect(missing?.health.status).toBe('Missing');
    });

    it('of a CronJob are those of the Jobs that it has started', async () => {
      const containers = [
        { name: 'main', image: IMAGE, command: ['sh', '-c', 'echo tick; sleep 30'] },
      ];
      const template = {
        spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers },
      };
      const cronJob: Resource = {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'ticks', namespace: guest.namespace },
        spec: { schedule: '* * * * *', jobTemplate: { spec: { template } } },
      };
      const desired = desire('ticks', cronJob);
      await passesUntil(
        engine,
        desired,
        ({ resources }) => resources[0]?.pods?.[0]?.containers[0]?.state === 'running',
      );
      const target = targetOf('ticks', 'CronJob');
      expect(await logsOf(target)).toEqual(['tick']);
      expect(await run(target, ['echo', 'in it'])).toEqual({ output: 'in it\n', exitCode: 0 });
      const { pod } = await engine.locate(target, NEVER);
      const found = await engine.find(pod, NEVER);
      expect(found).toMatchObject({ owner: desired.owner, resource: target.workload });
    });

    it('are put back when somebody has changed their workload', async () => {
      const desired = desire('drifts', web('drifts', 'echo ours; sleep 100000'));
      await passesUntil(engine, desired, serves);
      const path = `/apis/apps/v1/namespaces/${guest.namespace}/deployments/drifts`;
      const command = ['sh', '-c', 'echo theirs; sleep 100000'];
      const containers = [{ name: 'web', image: IMAGE, command }];
      await hand.call(
        {
          method: 'PATCH',
          path,
          query: { fieldManager: 'kubectl-edit' },
          contentType: 'application/strategic-merge-patch+json',
          body: { spec: { template: { spec: { containers } } } },
        },
        NEVER,
      );
      let done: Reconciliation['done'] = [];
      while (done.length === 0) {
        await sleep(100);
        ({ done } = await engine.reconcile([desired], NEVER));
      }
      expect(done[0]?.plan[0]).toMatchObject({ action: 'update', reason: 'set by kubectl-edit' });
      await passesUntil(
        engine,
        desired,
        ({ serving, resources }) => serving && resources[0]?.pods?.length === 1,
      );
      expect(await logsOf(targetOf('drifts'))).toEqual(['ours']);
    });

    it('that are not ready hold the release up until they are', async () => {
      const readinessProbe = { exec: { command: ['test', '-f', '/ready'] }, periodSeconds: 1 };
      const desired = desire('gated', web('gated', 'sleep 100000', { readinessProbe }));
      const waiting = await passesUntil(
        engine,
        desired,
        ({ resources }) => resources[0]?.pods?.[0]?.containers[0]?.state === 'running',
      );
      expect(waiting).toMatchObject({ serving: false });
      expect(waiting.failure).toBeUndefined();
      await run(targetOf('gated'), ['touch', '/ready']);
      const { resources } = await passesUntil(engine, desired, serves);
      expect(resources[0]?.pods?.[0]?.ready).toBe(true);
    });
  });

  it.skipIf(node !== undefined)('are not tried: the cluster has no node that is ready', () => {
    expect(node).toBeUndefined();
  });
});
