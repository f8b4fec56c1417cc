import { describe, expect, it } from 'vitest';
import { findLostReference } from '#core/docker/held-template.ts';
import { normalise } from '#core/docker/workloads.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

function configMap(name: string): Resource {
  return normalise({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
}

function workload(kind: string, uses: object, spec: object): Resource {
  return normalise({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web', ...uses }] },
      },
      ...spec,
    },
  });
}

function envFrom(name: string, optional = false): object {
  return { envFrom: [{ configMapRef: { name, optional } }] };
}

function recorded(resource: Resource, more: Partial<LiveRecord> = {}): LiveRecord {
  return { key: keyOf(resource), owner: 'shop/local', resource, recordedAt: 0, ...more };
}

function partition(count: number): object {
  return { updateStrategy: { rollingUpdate: { partition: count } } };
}

describe('a release that lacks what pods are made from', () => {
  const before = recorded(workload('StatefulSet', envFrom('old'), {}));

  it.each<{ name: string; resources: Resource[]; record?: LiveRecord; lost: string | undefined }>([
    {
      name: 'is refused where they stay below a partition',
      resources: [workload('StatefulSet', envFrom('new'), partition(1)), configMap('new')],
      lost: 'ConfigMap/default/old',
    },
    {
      name: 'is not where it leaves it in',
      resources: [
        workload('StatefulSet', envFrom('new'), partition(1)),
        configMap('new'),
        configMap('old'),
      ],
      lost: undefined,
    },
    {
      name: 'is not where all of them are updated',
      resources: [workload('StatefulSet', envFrom('new'), partition(0)), configMap('new')],
      lost: undefined,
    },
    {
      name: 'is not where they can be without it',
      resources: [workload('StatefulSet', {}, partition(1))],
      record: recorded(workload('StatefulSet', envFrom('old', true), {})),
      lost: undefined,
    },
    {
      name: 'is not where their template is that of the release',
      resources: [workload('StatefulSet', envFrom('old'), partition(1)), configMap('old')],
      lost: undefined,
    },
    {
      name: 'is refused of a Deployment that is paused',
      resources: [workload('Deployment', {}, { paused: true })],
      record: recorded(
        workload(
          'Deployment',
          { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'old', key: 'a' } } }] },
          {},
        ),
      ),
      lost: 'Secret/default/old',
    },
    {
      name: 'is not of a Deployment that goes on',
      resources: [workload('Deployment', {}, {})],
      record: recorded(workload('Deployment', envFrom('old'), {})),
      lost: undefined,
    },
  ])('$name', ({ resources, record = before, lost }) => {
    const told = findLostReference(resources, [record]);
    expect(/ use (\S+), which the release has no more/.exec(told ?? '')?.[1]).toBe(lost);
  });
});
