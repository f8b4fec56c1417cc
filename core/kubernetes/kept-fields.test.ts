import { describe, expect, it } from 'vitest';
import { ownsAllOf } from '#core/kubernetes/kept-fields.ts';
import type { ManagedFields } from '#core/kubernetes/live-object.ts';
import type { Resource } from '#core/resources/resource.ts';

type Tree = Record<string, unknown>;

const web: Resource = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    template: {
      spec: {
        volumes: [{ name: 'tmp', emptyDir: {} }],
        containers: [
          { name: 'main', image: 'web:1', args: ['a', 'b'], ports: [{ containerPort: 80 }] },
        ],
      },
    },
  },
};

/** As a Kubernetes API server keeps it when that was applied. */
const applied = {
  'f:metadata': { 'f:labels': { 'f:app': {} } },
  'f:spec': {
    'f:replicas': {},
    'f:template': {
      'f:spec': {
        'f:volumes': { 'k:{"name":"tmp"}': { '.': {}, 'f:name': {}, 'f:emptyDir': {} } },
        'f:containers': {
          'k:{"name":"main"}': {
            '.': {},
            'f:name': {},
            'f:image': {},
            'f:args': {},
            'f:ports': {
              'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
            },
          },
        },
      },
    },
  },
};

function ours(fieldsV1: Record<string, unknown>): ManagedFields[] {
  return [
    { manager: 'kubectl-edit', operation: 'Update', fieldsV1: { 'f:spec': {} } },
    { manager: 'windlass', operation: 'Apply', fieldsV1 },
  ];
}

/** What has nothing left in it is not kept either. */
function without(taken: string, tree: Tree = applied): Tree {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, inner]) => {
      if (key === taken) return [];
      const left = without(taken, inner as Tree);
      const isEmptied = Object.keys(left).length === 0 && Object.keys(inner as Tree).length > 0;
      return isEmptied ? [] : [[key, left]];
    }),
  );
}

describe('ownsAllOf', () => {
  it('is so when nobody has changed what was applied', () => {
    expect(ownsAllOf(web, ours(applied))).toBe(true);
  });

  it.each([
    'f:replicas',
    'f:app',
    'f:image',
    'f:emptyDir',
    'f:args',
    'k:{"name":"tmp"}',
    'k:{"containerPort":80,"protocol":"TCP"}',
    'f:spec',
  ])('is not so when somebody has taken %s', (text) => {
    expect(ownsAllOf(web, ours(without(text)))).toBe(false);
  });

  it.each([
    ['nobody has applied it', []],
    ['it was written otherwise', [{ ...ours(applied)[1], operation: 'Update' as const }]],
    ['another has applied it', [{ ...ours(applied)[1], manager: 'helm' }]],
    ['its status was applied', [{ ...ours(applied)[1], subresource: 'status' }]],
  ])('is not so when %s', (_, managed) => {
    expect(ownsAllOf(web, managed as ManagedFields[])).toBe(false);
  });

  it('knows items of sets by their value', () => {
    const object = { ...web, metadata: { name: 'web', finalizers: ['a/b'] }, spec: 1 };
    const spec = { 'f:spec': {} };
    const kept = { 'f:metadata': { 'f:finalizers': { 'v:"a/b"': {} } }, ...spec };
    const taken = { 'f:metadata': { 'f:finalizers': { 'v:"other"': {} } }, ...spec };
    expect(ownsAllOf(object, ours(kept))).toBe(true);
    expect(ownsAllOf(object, ours(taken))).toBe(false);
  });
});
