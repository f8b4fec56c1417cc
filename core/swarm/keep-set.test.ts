import { describe, expect, it } from 'vitest';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { decide } from '#core/swarm/decide.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { RULES, server, simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SwarmStep } from '#core/swarm/world.ts';

const CLAIM = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };

function set(
  said: { image?: string; replicas?: number; claims?: boolean; spec?: object } = {},
): Resource {
  const { image = 'db:1', replicas = 2, claims = true, spec = {} } = said;
  const labels = { app: 'db' };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas,
      serviceName: 'db',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'db',
              image,
              ...(claims ? { volumeMounts: [{ name: 'data', mountPath: '/data' }] } : {}),
            },
          ],
        },
      },
      ...(claims ? { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: CLAIM }] } : {}),
      ...spec,
    },
  };
}

const PVC: Resource = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'files' },
  spec: CLAIM,
};

function web(replicas: number, pod: object = {}): Resource {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            { name: 'web', image: 'web:1', volumeMounts: [{ name: 'v', mountPath: '/v' }] },
          ],
          volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'files' } }],
          ...pod,
        },
      },
    },
  };
}

function desire(resources: Resource[]): DesiredState {
  return { owner: 'shop/test', release: 'r1', resources };
}

/** `create db-0`, in the order in which it is done. */
function told(steps: readonly SwarmStep[], swarm: SimulatedSwarm): string[] {
  const parts = new Map(swarm.world.services.map(({ id, part }) => [id, part]));
  return steps.flatMap((step) => {
    if (step.kind === 'createClaim') return [`claim ${step.claim.name}`];
    if (step.kind === 'createService') return [`create ${step.spec.Labels['windlass.dev/part']}`];
    if (step.kind === 'updateService') return [`update ${step.spec.Labels['windlass.dev/part']}`];
    if (step.kind === 'endTasks') return [`end ${parts.get(step.id)}`];
    return step.kind === 'removeService' ? [`remove ${step.why}`] : [];
  });
}

function imageOf(swarm: SimulatedSwarm, part: string): string | undefined {
  const found = swarm.world.services.find((each) => each.part === part);
  return (found?.spec as ServiceSpec | undefined)?.TaskTemplate.ContainerSpec.Image;
}

function nodesOf(swarm: SimulatedSwarm): (string | undefined)[] {
  return swarm.world.services.map(({ spec }) =>
    (spec as ServiceSpec).TaskTemplate.Placement.Constraints.find((each) =>
      each.startsWith('node.id'),
    ),
  );
}

function setHealth(owners: readonly OwnerStatus[]): { status: string; reason: string } | undefined {
  return owners[0]?.resources.find(({ key }) => key.startsWith('StatefulSet'))?.health;
}

describe('a StatefulSet on a swarm', () => {
  it('has its volumes and pods made in order, each pod where its volume is', () => {
    const swarm = simulateSwarm();
    const { done, owners } = swarm.settle([desire([set()])]);
    expect(told(done, swarm)).toEqual([
      'claim data-db-0',
      'create db-0',
      'claim data-db-1',
      'create db-1',
    ]);
    expect(new Set(nodesOf(swarm))).toEqual(new Set(['node.id==n-one', 'node.id==n-two']));
    expect(owners[0]).toMatchObject({ serving: true, plan: [] });
    expect(owners[0]?.resources[0]).toMatchObject({ summary: '2 of 2 ready' });
  });

  it('pins no pod that has no volume, and keeps its name', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ claims: false, replicas: 1 })])]);
    expect(nodesOf(swarm)).toEqual([undefined]);
    expect(swarm.world.services[0]?.spec).toMatchObject({
      TaskTemplate: {
        ContainerSpec: {
          Hostname: 'db-0',
          Labels: { 'windlass.dev/pod': 'db-0', 'windlass.dev/published': 'db-0.db' },
        },
      },
    });
  });

  it('changes the highest first, and none below the partition', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 3 })])]);
    const rolling = { updateStrategy: { rollingUpdate: { partition: 1 } } };
    const held = swarm.settle([desire([set({ replicas: 3, image: 'db:2', spec: rolling })])]);
    expect(told(held.done, swarm)).toEqual(['update db-2', 'update db-1']);
    expect(held.owners[0]).toMatchObject({ serving: true });
    swarm.world.services = swarm.world.services.filter(({ part }) => part !== 'db-0');
    swarm.settle([desire([set({ replicas: 3, image: 'db:2', spec: rolling })])]);
    expect(imageOf(swarm, 'db-0')).toBe('db:1');
    const all = swarm.settle([desire([set({ replicas: 3, image: 'db:2' })])]);
    expect(told(all.done, swarm)).toEqual(['update db-0']);
  });

  it('does not go on while the one that was changed is not there', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 3 })])]);
    swarm.fails = (spec) => spec.TaskTemplate.ContainerSpec.Image === 'db:2';
    const { done } = swarm.settle([desire([set({ replicas: 3, image: 'db:2' })])]);
    expect(told(done, swarm)).toEqual(['update db-2']);
    expect(imageOf(swarm, 'db-1')).toBe('db:1');
  });

  it('has the highest end first, keeps its volume, and comes back to it', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 3 })])]);
    const before = structuredClone(swarm.world.claims);
    const { done } = swarm.settle([desire([set({ replicas: 1 })])]);
    expect(done.filter(({ kind }) => kind === 'endTasks' || kind === 'removeService')).toHaveLength(
      4,
    );
    expect(told(done, swarm).filter((text) => text.startsWith('remove'))).toEqual([
      'remove db-2 has gone',
      'remove db-1 has gone',
    ]);
    swarm.settle([desire([set({ replicas: 3 })])]);
    expect(swarm.world.claims).toEqual(before);
    swarm.settle([desire([])]);
    expect(swarm.world).toMatchObject({ services: [], records: [], claims: before });
  });

  it('waits for a server that is down, and makes no empty volume elsewhere', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 1 })])]);
    const [claim] = swarm.world.claims;
    swarm.world.nodes = swarm.world.nodes.map((node) =>
      node.id === claim?.node ? { ...node, state: 'down' } : node,
    );
    swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, state: 'pending' }));
    const { done, owners } = swarm.settle([desire([set({ replicas: 1 })])]);
    expect(done).toEqual([]);
    expect(setHealth(owners)).toEqual({
      status: 'Degraded',
      reason: `db-0: 0 of 1 ready; its volume data-db-0 is on server ${claim?.server}, and it is down: it waits for that server`,
    });
  });

  it('follows a server that joined anew with the volume', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 1 })])]);
    const [claim] = swarm.world.claims;
    swarm.world.nodes = [server('other'), { ...server(claim?.server ?? ''), id: 'anew' }];
    swarm.world.claims = swarm.world.claims.map((each) => ({ ...each, foundOn: 'anew' }));
    const { done } = swarm.settle([desire([set({ replicas: 1 })])]);
    expect(told(done, swarm)).toEqual(['claim data-db-0', 'update db-0']);
    expect(nodesOf(swarm)).toEqual(['node.id==anew']);
  });

  it('has what another owner left kept from it', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([set({ replicas: 1 })])]);
    swarm.settle([desire([])]);
    const { owners } = swarm.settle([{ ...desire([set({ replicas: 1 })]), owner: 'other/test' }]);
    expect(swarm.world.services).toEqual([]);
    expect(setHealth(owners)?.reason).toContain('holds what shop/test left on server');
  });
});

describe('a Deployment with a claim', () => {
  it('is told to be bound to where its volume is, whether it serves or not', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([PVC, web(1)])]);
    const home = swarm.world.claims[0]?.node ?? '';
    for (const state of ['running', 'pending'] as const) {
      swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, state }));
      const { pinned } = decide([desire([PVC, web(1)])], swarm.world, swarm.now, RULES);
      expect(pinned).toEqual(new Map([[home, ['Deployment/default/web']]]));
    }
  });

  it('runs where its volume is', () => {
    const swarm = simulateSwarm();
    const { owners } = swarm.settle([desire([PVC, web(2)])]);
    const [claim] = swarm.world.claims;
    expect(nodesOf(swarm)).toEqual([`node.id==${claim?.node}`]);
    expect(owners[0]?.resources[0]?.summary).toBe(
      `Bound on ${claim?.server}, asks for 1Mi (Docker sets no limit)`,
    );
  });

  it('has its volume made where its placement allows', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([PVC, web(1, { nodeSelector: { 'kubernetes.io/hostname': 'two' } })])]);
    expect(swarm.world.claims).toMatchObject([{ server: 'two' }]);
  });

  it('waits where no server may have its volume', () => {
    const swarm = simulateSwarm();
    const { owners, done } = swarm.settle([desire([PVC, web(1, { nodeSelector: { a: 'b' } })])]);
    expect(told(done, swarm)).toEqual([]);
    expect(owners[0]?.resources[1]?.health).toEqual({
      status: 'Degraded',
      reason: '0 of 1 ready; no server is ready that its volumes may be made on',
    });
  });
});
