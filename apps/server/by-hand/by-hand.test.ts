import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';
import type { OwnerReport, SharedState } from '#core/ports.ts';
import { openClusterRegistry } from '../cluster-registry.ts';
import { createRepositories } from '../git/repositories.ts';
import type { Repositories } from '../git/repositories.ts';
import { createKnownPipelines } from '../known-pipelines.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { LoggedRelease } from '../releases/release-log.ts';
import { createByHandActions } from './by-hand.ts';
import type { ByHandActions } from './by-hand.ts';
import { openByHandStore } from './store.ts';

const CLUSTER = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;
const SHOP = `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: here, manifests: deploy }] }
`;
const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { replicas: 2, template: { spec: { containers: [] } } }
`;
const DB = WEB.replace('Deployment', 'StatefulSet').replace('web', 'db');
const AGENT = WEB.replace('Deployment', 'DaemonSet').replace('web', 'agent');
const SCALER = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: db }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: StatefulSet, name: db }
  maxReplicas: 5
`;
const NOW = 1_000_000;
const note = { who: 'ada', at: NOW };
const web = { workload: 'Deployment/web', namespace: 'default' };
const shop = { pipeline: 'shop', entry: 'here' };

let folder: string;
let shared: SharedState;
let repositories: Repositories;
let pipelines: KnownPipelines;
let actions: ByHandActions;
let declared = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-by-hand-'));
  declared = `${CLUSTER}---\n${SHOP}`;
  shared = createMemorySharedState();
  const store = await openByHandStore(join(folder, 'by-hand.json'));
  repositories = createRepositories(folder, {});
  pipelines = createKnownPipelines(
    {
      declarations: () => parseDeclarations([{ path: 'a.yaml', text: declared }]).declarations,
      isKnown: () => true,
    },
    repositories,
    {
      shared,
      registry: await openClusterRegistry(join(folder, 'clusters.json')),
      byHand: store,
      now: () => NOW,
    },
  );
  actions = createByHandActions({
    store,
    shared,
    pipelines,
    repositories,
    releases: {
      head: async () => ({ commit: 'r1' }) as LoggedRelease,
      sealed: async () => ({ 'a.yaml': WEB, 'b.yaml': DB, 'c.yaml': AGENT, 'd.yaml': SCALER }),
    },
    now: () => NOW,
  });
  await pipelines.publish();
  await report({ owners: [owner()] });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function owner(change: Partial<OwnerReport> = {}): OwnerReport {
  const health = { status: 'Healthy' as const, reason: '' };
  return {
    owner: 'shop/here',
    release: 'r1',
    plan: [],
    held: [],
    resources: ['Deployment/default/web', 'StatefulSet/default/db', 'DaemonSet/default/agent'].map(
      (key) => ({ key, health, summary: '' }),
    ),
    serving: true,
    overrides: [],
    ...change,
  };
}

function report(status: Partial<Parameters<SharedState['putClusterStatus']>[1]>): Promise<void> {
  const all = { cluster: 'here', controller: 'w', at: NOW, owners: [], orphans: [], ...status };
  return shared.putClusterStatus('here', all);
}

describe('rebalance', () => {
  const uneven = {
    service: 'Deployment/default/web',
    owner: 'shop/here',
    surplus: 1,
    before: { s1: 2 },
    after: { s1: 1, s2: 1 },
  };
  const other = { ...uneven, service: 'Deployment/default/api' };

  it('is recorded for the release, in the place of an earlier wish', async () => {
    const plan = [uneven, other];
    await actions.rebalance(plan, [uneven.service, other.service], { ...note, at: 1 });
    expect(await actions.rebalance(plan, [uneven.service], note)).toEqual([uneven]);
    expect(actions.all()['shop/here']?.rebalanced).toEqual([
      { who: 'ada', at: 1, resource: other.service, surplus: 1, release: 'r1' },
      { ...note, resource: uneven.service, surplus: 1, release: 'r1' },
    ]);
  });

  it('is refused for what is even, and while the entry is suspended', async () => {
    await expect(actions.rebalance([other], [uneven.service], note)).rejects.toThrow(
      'Deployment/default/web is spread evenly now, or is not there',
    );
    await actions.suspend(shop, note);
    await expect(actions.rebalance([uneven], [uneven.service], note)).rejects.toThrow(
      'shop/here is suspended',
    );
  });
});

describe('scale', () => {
  it('ends after its time, with the release it was made for, and replaces an earlier one', async () => {
    await actions.scale('here', { ...web, replicas: 3, forSeconds: 60 }, note);
    const { owner: whose, byHand } = await actions.scale(
      'here',
      { ...web, replicas: 5, forSeconds: 60 },
      note,
    );
    expect(whose).toBe('shop/here');
    expect(byHand.scaled).toEqual([
      {
        ...note,
        resource: 'Deployment/default/web',
        replicas: 5,
        until: NOW + 60_000,
        release: 'r1',
      },
    ]);
  });

  it('is of what has replicas', async () => {
    const wanted = { namespace: 'default', replicas: 3, forSeconds: 60 };
    const { byHand } = await actions.scale('here', { workload: 'StatefulSet/db', ...wanted }, note);
    expect(byHand.scaled).toMatchObject([{ resource: 'StatefulSet/default/db', replicas: 3 }]);
    const agent = { workload: 'DaemonSet/agent', ...wanted };
    await expect(actions.scale('here', agent, note)).rejects.toThrow('has no replicas');
  });

  it.each([{ replicas: 2 }, {}])('with %j is as in git again', async (wanted) => {
    await actions.scale('here', { ...web, replicas: 3, forSeconds: 60 }, note);
    const { byHand } = await actions.scale('here', { ...web, ...wanted, forSeconds: 60 }, note);
    expect(byHand).toEqual({});
  });

  it('tells what scales it otherwise, and holds also where that is as many as in git', async () => {
    const db = { workload: 'StatefulSet/db', namespace: 'default', forSeconds: 60 };
    const autoscaler = 'HorizontalPodAutoscaler/default/db';
    expect(await actions.scale('here', { ...db, replicas: 2 }, note)).toMatchObject({
      autoscaler,
      byHand: { scaled: [{ replicas: 2 }] },
    });
    expect(await actions.scale('here', db, note)).toEqual({
      owner: 'shop/here',
      byHand: {},
      autoscaler,
    });
  });

  it('is refused of what is not there, keeps no pods or is suspended', async () => {
    const wanted = { replicas: 3, forSeconds: 60 };
    const nothing = { workload: 'Deployment/nothing', namespace: 'default' };
    await expect(actions.scale('here', { ...nothing, ...wanted }, note)).rejects.toThrow(
      'there is no Deployment/default/nothing on cluster here',
    );
    await actions.suspend(shop, note);
    await expect(actions.scale('here', { ...web, ...wanted }, note)).rejects.toThrow(
      'shop/here is suspended by ada',
    );
  });
});

describe('open', () => {
  it.each([
    ['is refused where there are no windows', '', 'may begin anyway'],
    ['is refused by windows that say so', ', override: false', 'deploys are closed until'],
  ])('%s', async (_name, others, told) => {
    const windows = `windows: [{ kind: allow, schedule: "0 12 1 1 *", minutes: 1${others} }]`;
    if (others !== '')
      declared = declared.replace('manifests: deploy', `manifests: deploy, ${windows}`);
    await expect(actions.open(shop, 60, note)).rejects.toThrow(told);
  });

  it('lets deploys begin for as long as is said', async () => {
    const windows = 'windows: [{ kind: allow, schedule: "0 12 1 1 *", minutes: 1 }]';
    declared = declared.replace('manifests: deploy', `manifests: deploy, ${windows}`);
    const { byHand } = await actions.open(shop, 60, note);
    expect(byHand.opened).toEqual({ ...note, until: NOW + 60_000 });
  });
});

describe('suspend', () => {
  it('keeps who was first, and is for entries that are declared', async () => {
    await actions.suspend(shop, note);
    const { byHand } = await actions.suspend(shop, { ...note, who: 'bob' });
    expect(byHand.suspended?.who).toBe('ada');
    await expect(actions.suspend({ ...shop, entry: 'there' }, note)).rejects.toThrow(
      'there is no deploy entry shop/there',
    );
  });
});

describe('confirm', () => {
  it('is for deletions that wait, of the release that wants them', async () => {
    await expect(actions.confirm(shop, 'r1', note)).rejects.toThrow('no deletion waits');
    const held = [{ action: 'delete' as const, key: 'ConfigMap/default/a', fields: [] }];
    await report({ owners: [owner({ held })] });
    await expect(actions.confirm(shop, 'r0', note)).rejects.toThrow('is not what shop/here wants');
    expect((await actions.confirm(shop, 'r1', note)).byHand.confirmed?.release).toBe('r1');
  });
});

describe('remove', () => {
  const orphans = [{ owner: 'shop/here', resources: ['Deployment/default/web'], pods: 2 }];

  it('refuses what is declared, and without cascade only tells', async () => {
    const wanted = { pipeline: 'shop', cascade: true };
    await expect(actions.remove(wanted, note)).rejects.toThrow('would come back');
    declared = CLUSTER;
    await pipelines.publish();
    await report({ orphans });
    const told = await actions.remove({ ...wanted, cascade: false }, note);
    expect(told.deleted).toEqual([{ ...orphans[0], cluster: 'here' }]);
    expect(actions.all()).toEqual({});
    await actions.remove(wanted, note);
    expect(actions.all()).toEqual({ 'shop/here': { deleted: [{ ...note, cluster: 'here' }] } });
  });

  it('is forgotten where the entry is declared again', async () => {
    declared = CLUSTER;
    await pipelines.publish();
    await report({ orphans });
    await actions.remove({ pipeline: 'shop', cascade: true }, note);
    declared = `${CLUSTER}---\n${SHOP}`;
    await pipelines.publish();
    expect(actions.all()).toEqual({});
  });

  it('forgets a pipeline that its own repository declares', async () => {
    await mkdir(join(folder, 'blog.git'));
    const { pipelines: parsed } = parseDeclarations([
      { path: 'a.yaml', text: declared },
    ]).declarations;
    const blog = Pipeline.parse({ ...parsed['shop'], metadata: { name: 'blog' } });
    await repositories.keepPipeline(blog);
    await pipelines.publish();
    await report({ owners: [owner(), owner({ owner: 'blog/here' })] });
    const answer = await actions.remove({ pipeline: 'blog', cascade: true }, note);
    expect(answer.deleted.map((each) => each.owner)).toEqual(['blog/here']);
    expect(await pipelines.find('blog')).toBeUndefined();
    expect(actions.all()).toEqual({ 'blog/here': { deleted: [{ ...note, cluster: 'here' }] } });
    expect((await shared.declarations()).pipelines).not.toHaveProperty('blog');
  });
});

describe('clusters that are declared no longer', () => {
  beforeEach(async () => {
    declared = '';
    await pipelines.publish();
  });

  it('are told to the workers until their own say that they are empty', async () => {
    expect(Object.keys((await shared.declarations()).retired)).toEqual(['here']);
    await pipelines.forgetEmpty();
    await report({ retired: true, orphans: [{ owner: 'shop/here', resources: [], pods: 1 }] });
    await pipelines.forgetEmpty();
    await report({ retired: true, error: 'the Docker Engine cannot be reached' });
    await pipelines.forgetEmpty();
    expect(Object.keys(pipelines.allClusters())).toEqual(['here']);
    await report({ retired: true });
    await pipelines.forgetEmpty();
    expect((await shared.declarations()).retired).toEqual({});
  });

  it('are forgotten by hand, which those that are declared are not', async () => {
    await pipelines.forgetCluster('here');
    expect(pipelines.allClusters()).toEqual({});
    await expect(pipelines.forgetCluster('here')).rejects.toThrow(
      'is declared, or was never known',
    );
  });
});
