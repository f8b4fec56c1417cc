import { describe, expect, it } from 'vitest';
import { findImmutableChange } from '#core/docker/immutable.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { normalise } from '#core/docker/workloads.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

function configMap(fields: object): Resource {
  return normalise({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'page' }, ...fields });
}

function secret(fields: object): Resource {
  return normalise({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, ...fields });
}

function record(resource: Resource): LiveRecord {
  return { key: keyOf(resource), owner: 'shop/local', resource, recordedAt: 1 };
}

const data = { page: 'one' };
const before = [
  configMap({ data, immutable: true }),
  secret({ stringData: data, immutable: true }),
];

describe('what is immutable', () => {
  it.each([
    ['its data', configMap({ data: { page: 'two' }, immutable: true })],
    ['what it adds', configMap({ data, binaryData: { more: 'AAAA' }, immutable: true })],
    ['that it is immutable', configMap({ data })],
    ['the data of a Secret', secret({ stringData: { page: 'two' }, immutable: true })],
  ])('cannot change %s', (_name, resource) => {
    expect(findImmutableChange([resource], before.map(record))).toMatch(
      new RegExp(
        `^${keyOf(resource)} is immutable, but the release changes it: give .* another name`,
      ),
    );
  });

  it.each([
    ['nothing', before],
    [
      'its labels',
      [configMap({ metadata: { name: 'page', labels: { a: 'b' } }, data, immutable: true })],
    ],
    [
      'its name',
      [configMap({ metadata: { name: 'page-2' }, data: { page: 'two' }, immutable: true })],
    ],
    ['all by going', []],
  ])('may change %s', (_name, resources) => {
    expect(findImmutableChange(resources, before.map(record))).toBeUndefined();
  });

  it('may be made of what is not', () => {
    const mutable = [record(configMap({ data }))];
    const next = [configMap({ data: { page: 'two' }, immutable: true })];
    expect(findImmutableChange(next, mutable)).toBeUndefined();
  });
});
