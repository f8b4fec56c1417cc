import { describe, expect, it } from 'vitest';
import {
  managersAt,
  parsePath,
  readPath,
  withoutFieldsOf,
  withPath,
} from '#core/kubernetes/field-sets.ts';
import type { ManagedFields } from '#core/kubernetes/live-object.ts';

const DEPLOYMENT = {
  metadata: { annotations: { 'example.com/a': 'x' } },
  spec: {
    replicas: 3,
    template: {
      spec: {
        containers: [
          { name: 'web', image: 'web:1' },
          { name: 'log', image: 'log:1' },
        ],
      },
    },
  },
};

const SCALER: ManagedFields = {
  manager: 'kube-controller-manager',
  operation: 'Update',
  subresource: 'scale',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
};
const PERSON: ManagedFields = {
  manager: 'kubectl-edit',
  operation: 'Update',
  fieldsV1: {
    'f:spec': {
      'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:image': {} } } } },
    },
  },
};
const OURS: ManagedFields = {
  manager: 'windlass',
  operation: 'Apply',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
};

function path(text: string): NonNullable<ReturnType<typeof parsePath>> {
  return parsePath(text) ?? [];
}

describe('parsePath', () => {
  it.each([
    ['spec.replicas', [{ field: 'spec' }, { field: 'replicas' }]],
    ['.spec.replicas', [{ field: 'spec' }, { field: 'replicas' }]],
    ['data["app.conf"]', [{ field: 'data' }, { field: 'app.conf' }]],
    [
      'spec.containers[web].image',
      [{ field: 'spec' }, { field: 'containers' }, { item: 'web' }, { field: 'image' }],
    ],
    ['', undefined],
    ['spec..replicas', undefined],
    ['spec[', undefined],
    ['$.spec', undefined],
  ])('%s', (text, steps) => {
    expect(parsePath(text)).toEqual(steps);
  });
});

describe('readPath and withPath', () => {
  it.each([
    ['spec.replicas', 3],
    ['spec.template.spec.containers[log].image', 'log:1'],
    ['metadata.annotations["example.com/a"]', 'x'],
    ['spec.paused', undefined],
    ['spec.template.spec.containers[none].image', undefined],
  ])('reads %s', (text, value) => {
    expect(readPath(DEPLOYMENT, path(text))).toBe(value);
  });

  it.each([
    ['spec.replicas', 5, 5],
    ['spec.replicas', undefined, undefined],
    ['spec.template.spec.containers[log].image', 'log:2', 'log:2'],
    // The way to it is not made.
    ['spec.strategy.type', 'Recreate', undefined],
  ])('%s becomes %s', (text, next, value) => {
    expect(readPath(withPath(DEPLOYMENT, path(text), next), path(text))).toBe(value);
  });

  it('takes an item of a list away, and no other', () => {
    const changed = withPath(DEPLOYMENT, path('spec.template.spec.containers[web]'), undefined);
    expect(readPath(changed, path('spec.template.spec.containers'))).toEqual([
      { name: 'log', image: 'log:1' },
    ]);
  });
});

describe('managersAt', () => {
  it.each([
    ['spec.replicas', ['kube-controller-manager']],
    ['spec', ['kube-controller-manager', 'kubectl-edit']],
    ['spec.template.spec.containers[web].image', ['kubectl-edit']],
    ['spec.template.spec.containers[log].image', []],
  ])('%s', (text, managers) => {
    expect(managersAt([SCALER, PERSON, OURS], path(text))).toEqual(managers);
  });
});

describe('withoutFieldsOf', () => {
  it('leaves out what that manager has set, also within lists', () => {
    const { spec } = withoutFieldsOf(DEPLOYMENT, [SCALER, PERSON], 'kubectl-edit');
    expect(spec.replicas).toBe(3);
    expect(spec.template.spec.containers).toEqual([
      { name: 'web' },
      { name: 'log', image: 'log:1' },
    ]);
  });
});
