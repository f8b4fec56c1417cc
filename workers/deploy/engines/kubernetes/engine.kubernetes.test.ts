import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from './engine.ts';
import { enterCluster } from './testing/cluster-guest.ts';
import { connectCluster } from './testing/connect-cluster.ts';
import { describeKubernetesEngine } from './testing/engine-suite.ts';
import { passesUntil } from './testing/passes.ts';
import { giveShippedRights } from './testing/shipped-rights.ts';

describeKubernetesEngine('the cluster that KUBECONFIG names', connectCluster);
describeKubernetesEngine(
  'the same, as the ServiceAccount that is shipped',
  connectCluster,
  giveShippedRights,
);

it('says why the pods of a Deployment wait, before and after its deadline', async () => {
  const id = randomBytes(4).toString('hex');
  const hand = await connectCluster();
  const guest = await enterCluster(hand, id);
  onTestFinished(async () => {
    await guest.leave();
    hand.close();
  });
  const namespace = `${guest.namespace}-waits`;
  const engine = createKubernetesEngine({
    cluster: 'test',
    installation: namespace,
    sealKey: 'k',
    log: pino({ level: 'silent' }),
    client: await connectCluster(),
  });
  function web(app: string): Resource {
    const labels = { app };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        progressDeadlineSeconds: 5,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { 'windlass.dev/no-such-node': 'x' },
            containers: [{ name: 'web', image: 'web:1' }],
          },
        },
      },
    };
  }
  const place = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  function wants(...resources: Resource[]): DesiredState {
    return { owner: `${id}/a`, release: 'r', resources };
  }
  await passesUntil(engine, wants(place, web('web')), ({ resources }) =>
    resources.some(({ health }) => health.reason.startsWith('no node takes it: ')),
  );
  const { failure } = await passesUntil(
    engine,
    wants(place, web('web')),
    (status) => status.failure !== undefined,
  );
  expect(failure).toMatch(/ProgressDeadlineExceeded: .* no node takes it: /);
  const refused = await passesUntil(
    engine,
    wants(place, web('other')),
    ({ failure: why }) => why !== failure,
  );
  expect(refused.failure).toMatch(/selector.*immutable.*windlass.dev\/replace: "true"/s);
  await passesUntil(engine, wants(), ({ plan }) => plan.length === 0);
  await engine.close();
});
