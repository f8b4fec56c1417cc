import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { parseKubeconfig } from '#adapters/kubernetes/kubeconfig.ts';
import type { OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from './engine.ts';
import { enterCluster } from './testing/cluster-guest.ts';
import { describeKubernetesEngine } from './testing/engine-suite.ts';
import { giveShippedRights } from './testing/shipped-rights.ts';

const NEVER = new AbortController().signal;

async function connect(as?: string): Promise<KubeClient> {
  const file = process.env['KUBECONFIG'];
  if (file === undefined) throw new Error('KUBECONFIG names no file');
  const access = parseKubeconfig(await readFile(file, 'utf8'), dirname(file), undefined);
  const impersonated = as === undefined ? {} : { impersonate: { user: as, groups: [] } };
  return createKubeClient({ ...access, user: { ...access.user, ...impersonated } }, process.env);
}

describeKubernetesEngine('the cluster that KUBECONFIG names', connect);
describeKubernetesEngine(
  'the same, as the ServiceAccount that is shipped',
  connect,
  giveShippedRights,
);

it('says why the pods of a Deployment wait, before and after its deadline', async () => {
  const id = randomBytes(4).toString('hex');
  const hand = await connect();
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
    client: await connect(),
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
  const owner = `${id}/a`;
  async function passesUntil(
    resources: Resource[],
    isSo: (status: OwnerStatus) => boolean,
  ): Promise<OwnerStatus> {
    for (;;) {
      const desired = { owner, release: 'r', resources };
      const [status] = (await engine.reconcile([desired], NEVER)).owners;
      if (status !== undefined && isSo(status)) return status;
      await sleep(100);
    }
  }
  await passesUntil([place, web('web')], ({ resources }) =>
    resources.some(({ health }) => health.reason.startsWith('no node takes it: ')),
  );
  const { failure } = await passesUntil(
    [place, web('web')],
    (status) => status.failure !== undefined,
  );
  expect(failure).toMatch(/ProgressDeadlineExceeded: .* no node takes it: /);
  const refused = await passesUntil([place, web('other')], ({ failure: why }) => why !== failure);
  expect(refused.failure).toMatch(/selector.*immutable.*windlass.dev\/replace: "true"/s);
  await passesUntil([], ({ plan }) => plan.length === 0);
  await engine.close();
});
