import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { World } from '#core/docker/world.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

function claim(name: string, policy?: string): Resource {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      ...(policy === undefined ? {} : { annotations: { 'windlass.dev/reclaim-policy': policy } }),
    },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
}

function pod(claimName: string): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `with-${claimName}` },
    spec: {
      containers: [{ name: 'main', image: 'db:1' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  };
}

interface Reached {
  world: World;
  status: OwnerStatus | undefined;
}

/** Passes until nothing is left to be done, the first cut off after some steps. */
function reach(
  resources: Resource[],
  from: World,
  cutAt = Infinity,
  owner = 'shop/local',
): Reached {
  let world = from;
  for (let round = 0; round < 30; round += 1) {
    const now = 1_000_000 + round * 1_000;
    const desired = { owner, release: 'r1', resources };
    const { steps, owners } = decide([desired], world, now, (value) => value);
    if (steps.length === 0) return { world, status: owners[0] };
    for (const step of steps.slice(0, round === 0 ? cutAt : Infinity))
      world = carryOut(world, step, now);
  }
  throw new Error('did not converge');
}

function names({ claims }: World): string[] {
  return claims.map(({ name }) => name).toSorted();
}

const both = [claim('kept'), claim('dropped', 'Delete'), pod('kept'), pod('dropped')];

describe('a claim', () => {
  it('has its volume before the pod that names it', () => {
    const desired = { owner: 'shop/local', release: 'r1', resources: both };
    const { steps } = decide([desired], emptyWorld(), 1_000_000, (value) => value);
    const kinds = steps.map(({ kind }) => kind);
    expect(kinds.lastIndexOf('createClaim')).toBeLessThan(kinds.indexOf('createPod'));
    const { world, status } = reach(both, emptyWorld());
    expect(names(world)).toEqual(['dropped', 'kept']);
    expect(status).toMatchObject({ serving: true });
  });

  it('leaves its volume, unless it said that it goes, and says which in the plan', () => {
    const { world } = reach(both, emptyWorld());
    const desired = { owner: 'shop/local', release: 'r2', resources: [] };
    const [status] = decide([desired], world, 2_000_000, (value) => value).owners;
    const reasons = new Map(status?.plan.map(({ key, reason }) => [key, reason]));
    expect(reasons.get('PersistentVolumeClaim/default/kept')).toContain('its volume is kept');
    expect(reasons.get('PersistentVolumeClaim/default/dropped')).toContain('its volume is deleted');
    const { world: after } = reach([], world);
    expect(after).toMatchObject({ records: [], pods: [] });
    expect(names(after)).toEqual(['kept']);
  });

  it('is not forgotten before its volume is gone, which pods may hold up', () => {
    const { world } = reach(both, emptyWorld());
    const desired = { owner: 'shop/local', release: 'r2', resources: [] };
    const { steps } = decide([desired], { ...world, pods: [] }, 2_000_000, (value) => value);
    const forgotten = steps.flatMap((step) => (step.kind === 'forget' ? [step.key] : []));
    expect(forgotten).toContain('PersistentVolumeClaim/default/kept');
    expect(forgotten).not.toContain('PersistentVolumeClaim/default/dropped');
    expect(steps.map(({ kind }) => kind)).toContain('deleteClaim');
  });

  it('tells where its volume was lost, and makes an empty one', () => {
    const { world } = reach([claim('kept')], emptyWorld());
    const desired = { owner: 'shop/local', release: 'r1', resources: [claim('kept')] };
    const { owners, steps } = decide([desired], { ...world, claims: [] }, 2e6, (value) => value);
    expect(owners[0]?.plan).toMatchObject([
      { action: 'update', reason: 'its volume is gone: an empty one is made' },
    ]);
    expect(owners[0]?.serving).toBe(false);
    expect(steps.map(({ kind }) => kind)).toEqual(['createClaim']);
  });

  it('is not given what another owner left', () => {
    const left = reach([], reach([claim('kept')], emptyWorld()).world).world;
    const { status, world } = reach([claim('kept')], left, Infinity, 'blog/local');
    expect(status?.failure).toMatch(/holds what shop\/local left.*docker volume rm/);
    expect(world.records).toEqual([]);
    expect(reach([claim('kept')], left).status).toMatchObject({ serving: true });
  });

  it('never loses a volume that it did not give up, whatever is released and wherever that is cut off', () => {
    const releases = fc.array(fc.tuple(fc.subarray(both.slice(0, 2)), fc.boolean(), fc.nat(12)), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(releases, (steps) => {
        let world = emptyWorld();
        const made = new Set<string>();
        for (const [claims, withPods, cutAt] of steps) {
          const named = new Set(claims.map(({ metadata }) => `with-${metadata.name}`));
          const pods = both.slice(2).filter(({ metadata }) => named.has(metadata.name));
          world = reach([...claims, ...(withPods ? pods : [])], world, cutAt).world;
          for (const { metadata } of claims) made.add(metadata.name);
          const wanted = claims.map(({ metadata }) => metadata.name);
          const expected = new Set([...wanted, ...(made.has('kept') ? ['kept'] : [])]);
          expect(names(world)).toEqual([...expected].toSorted());
        }
      }),
    );
  });
});

it.each([
  {
    name: 'a claim that is not there',
    text: 'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: a, image: a }], volumes: [{ name: d, persistentVolumeClaim: { claimName: d } }] }\n',
    told: 'spec.volumes[0].persistentVolumeClaim.claimName: there is no PersistentVolumeClaim d in namespace default of these manifests (add it)',
  },
  {
    name: 'an access mode that would have to be kept to',
    text: claimText({ modes: 'ReadWriteOncePod' }),
    told: 'spec.accessModes[0]: Docker gives a volume to as many pods as ask for it: say ReadWriteOnce',
  },
  {
    name: 'a volume that is there already',
    text: claimText({ more: ', volumeName: old' }),
    told: 'spec.volumeName: has no meaning on the docker engine: a claim has a volume of its own, empty at first',
  },
  {
    name: 'a class that does not say what becomes of volumes',
    text: 'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: a }\nprovisioner: local\n',
    told: 'reclaimPolicy: must be said: Retain keeps the volumes of claims that are deleted, Delete deletes them',
  },
  {
    name: 'a driver that no plugin is called by',
    text: 'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: a }\nprovisioner: "a b"\nreclaimPolicy: Retain\n',
    told: 'provisioner: must be a volume driver of Docker, e.g. local or vieux/sshfs:latest',
  },
  {
    name: 'a misspelt policy',
    text: claimText({ policy: 'Drop' }),
    told: 'metadata.annotations["windlass.dev/reclaim-policy"]: must be Retain or Delete',
  },
])('refuses $name', ({ text, told }) => {
  const problems = acceptResources(parseManifests([{ path: 'f.yaml', text }]));
  expect(problems.map(formatProblem).map((line) => line.replace(/^\S+ /, ''))).toEqual([told]);
});

function claimText({ modes = 'ReadWriteOnce', more = '', policy = 'Retain' }): string {
  return `apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: a, annotations: { windlass.dev/reclaim-policy: ${policy} } }
spec: { accessModes: [${modes}], resources: { requests: { storage: 1Gi } }${more} }
`;
}
