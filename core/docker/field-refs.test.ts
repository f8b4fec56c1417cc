import { describe, expect, it } from 'vitest';
import { fieldValue, resourceValue } from '#core/docker/field-refs.ts';
import { FieldRef, ResourceFieldRef } from '#core/docker/kinds-refs.ts';

const pod = {
  name: 'web-1',
  namespace: 'shop',
  labels: { 'example.com/tier': 'front' },
  annotations: { note: 'a b' },
};
const web = {
  name: 'web',
  resources: { limits: { cpu: 0.3, memory: 64 * 2 ** 20 }, requests: { cpu: 0.1 } },
};
const bare = { name: 'bare' };

describe('fieldValue', () => {
  it.each([
    ['metadata.name', 'web-1'],
    ['metadata.namespace', 'shop'],
    ["metadata.labels['example.com/tier']", 'front'],
    ["metadata.annotations['note']", 'a b'],
    ["metadata.labels['none']", ''],
    ["metadata.labels['constructor']", ''],
  ])('%s is %j', (fieldPath, value) => {
    expect(fieldValue(FieldRef.parse({ fieldPath }), pod)).toBe(value);
  });

  it.each(['status.podIP', 'spec.nodeName', 'metadata.uid', 'metadata.labels'])(
    '%s is refused',
    (fieldPath) => {
      expect(FieldRef.safeParse({ fieldPath }).success).toBe(false);
    },
  );
});

describe('resourceValue', () => {
  it.each([
    [{ resource: 'limits.cpu' }, '1'],
    [{ resource: 'limits.cpu', divisor: '1m' }, '300'],
    [{ resource: 'limits.cpu', divisor: '100m' }, '3'],
    [{ resource: 'requests.cpu', divisor: '1m' }, '100'],
    [{ resource: 'requests.memory', divisor: '1Mi' }, '64'],
    [{ resource: 'limits.memory' }, '67108864'],
    [{ resource: 'limits.memory', containerName: 'bare' }, undefined],
    [{ resource: 'limits.memory', containerName: 'none' }, undefined],
  ])('%j is %j', (ref, value) => {
    expect(resourceValue(ResourceFieldRef.parse(ref), web, [web, bare])).toBe(value);
  });

  it('refuses a divisor of nothing', () => {
    const ref = { resource: 'limits.cpu', divisor: 0 };
    expect(ResourceFieldRef.safeParse(ref).success).toBe(false);
  });
});
