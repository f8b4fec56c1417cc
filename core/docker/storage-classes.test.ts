import { describe, expect, it } from 'vitest';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { World } from '#core/docker/world.ts';
import type { OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { provisionOf } from './storage-classes.ts';

function storageClass(name: string, more: object = {}, isDefault = false): Resource {
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, ...(isDefault ? { annotations } : {}) },
    provisioner: 'local',
    reclaimPolicy: 'Retain',
    ...more,
  };
}

function claim(name: string, storageClassName?: string): Resource {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

function setWith(storageClassName: string, replicas = 1): Resource {
  const { metadata, spec } = claim('data', storageClassName);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'db' } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
      volumeClaimTemplates: [{ metadata, spec }],
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { containers: [{ name: 'db', image: 'db:1' }] },
      },
    },
  };
}

/** Passes until nothing is left to be done. */
function reach(
  resources: Resource[],
  from: World = emptyWorld(),
): { world: World; status: OwnerStatus | undefined } {
  let world = from;
  for (let round = 0; round < 40; round += 1) {
    const now = 1_000_000 + round * 1_000;
    const desired = { owner: 'shop/local' as const, release: 'r1', resources };
    const { steps, owners } = decide([desired], world, now, (value) => value);
    if (steps.length === 0) return { world, status: owners[0] };
    for (const step of steps) world = carryOut(world, step, now);
  }
  throw new Error('did not converge');
}

function names({ claims }: World): string[] {
  return claims.map(({ name }) => name).toSorted();
}

describe('provisionOf', () => {
  const fast = storageClass('fast', {
    provisioner: 'vieux/sshfs:latest',
    parameters: { sshcmd: 'a@b:/c' },
    reclaimPolicy: 'Delete',
  });
  const classes = [
    { resource: fast, recordedAt: 1 },
    { resource: storageClass('old', {}, true), recordedAt: 1 },
    { resource: storageClass('new', { parameters: { o: 'size=1m' } }, true), recordedAt: 2 },
  ];

  it.each([
    [
      'fast',
      { driver: 'vieux/sshfs:latest', options: { sshcmd: 'a@b:/c' }, reclaim: 'Delete' as const },
    ],
    ['', { driver: 'local', options: {} }],
    [undefined, { driver: 'local', options: { o: 'size=1m' }, reclaim: 'Retain' as const }],
    ['gone', undefined],
  ])('of %j', (name, expected) => {
    expect(provisionOf(name, classes)).toEqual(expected);
  });

  it('is without a class where none is the default one', () => {
    const others = [{ resource: fast, recordedAt: 1 }];
    expect(provisionOf(undefined, others)).toEqual({ driver: 'local', options: {} });
  });
});

it('refuses a release whose class is not there, before anything is done', () => {
  const { world, status } = reach([claim('a', 'fast')]);
  expect(status?.failure).toBe(
    'PersistentVolumeClaim/default/a asks for the StorageClass fast, which is not there: release it, here or before',
  );
  expect(world).toEqual(emptyWorld());
  expect(reach([setWith('fast')]).status?.failure).toMatch(
    /PersistentVolumeClaim\/default\/data-db-0 asks for the StorageClass fast/,
  );
});

it('goes on without a class that only made what is there', () => {
  const { world } = reach([storageClass('fast'), claim('a', 'fast'), setWith('fast')]);
  expect(names(world)).toEqual(['a', 'data-db-0']);
  const { status } = reach([claim('a', 'fast'), setWith('fast')], world);
  expect(status?.failure).toBeUndefined();
  expect(reach([claim('a', 'fast'), setWith('fast', 2)], world).status?.failure).toMatch(
    /data-db-1 asks for the StorageClass fast/,
  );
});

it.each([
  ['Delete', [] as string[]],
  ['Retain', ['a']],
])('%s of a class holds for its claims once they are gone', (reclaimPolicy, left) => {
  const kept = storageClass('fast', { reclaimPolicy });
  const { world } = reach([kept, claim('a', 'fast')]);
  expect(names(reach([kept], world).world)).toEqual(left);
  // Also where the class goes with them.
  expect(names(reach([], world).world)).toEqual(left);
});

it('keeps the volumes of a StatefulSet whose class says so', () => {
  const kept = storageClass('fast');
  const { world } = reach([kept, setWith('fast')]);
  expect(names(reach([kept], world).world)).toEqual(['data-db-0']);
  const goes = storageClass('fast', { reclaimPolicy: 'Delete' });
  const other = reach([goes, setWith('fast')]);
  expect(names(reach([goes], other.world).world)).toEqual([]);
});

it.each([
  [storageClass('fast', { parameters: { o: 'size=2m' } }), 'StorageClass//fast: parameters'],
  [storageClass('fast', { provisioner: 'other' }), 'StorageClass//fast: provisioner'],
])('refuses to change what volumes were made by', (changed, told) => {
  const { world } = reach([storageClass('fast')]);
  expect(reach([changed], world).status?.failure).toContain(told);
});
