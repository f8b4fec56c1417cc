import { describe, expect, it } from 'vitest';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { autoscaledIn, targetsOf } from '#core/kubernetes/target.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { Resource } from '#core/resources/resource.ts';

const KINDS: ApiKind[] = [
  {
    group: '',
    version: 'v1',
    kind: 'ConfigMap',
    plural: 'configmaps',
    namespaced: true,
    verbs: [],
  },
  { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true, verbs: [] },
  {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
    plural: 'deployments',
    namespaced: true,
    verbs: [],
  },
  {
    group: 'example.com',
    version: 'v1',
    kind: 'Zone',
    plural: 'zones',
    namespaced: false,
    verbs: [],
  },
  {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'TokenReview',
    plural: 'tokenreviews',
    namespaced: false,
    verbs: ['create'],
  },
];

function targets(
  resources: Resource[],
  autoscaled: string[] = [],
  scaledByHand: string[] = [],
): Target[] {
  return targetsOf({ owner: 'shop/prod', release: 'r', resources, scaledByHand }, KINDS, {
    installation: 'i',
    seal: (text) => `sealed ${text.length} ${text.slice(-40)}`,
    autoscaled: new Set(autoscaled),
  });
}

function object(apiVersion: string, kind: string, more: Partial<Resource> = {}): Resource {
  return { apiVersion, kind, metadata: { name: 'x', ...more.metadata }, ...more };
}

describe('targetsOf', () => {
  it('puts what lives in namespaces into one, and nothing else', () => {
    const zone = object('example.com/v1', 'Zone', { metadata: { name: 'x', namespace: 'shop' } });
    const ids = targets([object('v1', 'ConfigMap'), zone]).map(({ id, resource }) => [
      id,
      resource.metadata.namespace,
    ]);
    expect(ids).toEqual([
      ['/ConfigMap/default/x', 'default'],
      ['example.com/Zone//x', undefined],
    ]);
  });

  it('marks what it applies, and applies no status', () => {
    const [target] = targets([object('v1', 'ConfigMap', { status: { phase: 'x' } })]);
    expect(target?.resource).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'x',
        namespace: 'default',
        labels: { 'windlass.dev/installation': 'i' },
        annotations: {
          'windlass.dev/owner': 'shop/prod:/ConfigMap/default/x',
          'windlass.dev/applied': target?.hash,
        },
      },
    });
  });

  it('has the text of a Secret as its data', () => {
    const [target] = targets([
      object('v1', 'Secret', { data: { a: 'YQ==' }, stringData: { b: 'ä' } }),
    ]);
    expect(target?.resource['data']).toEqual({ a: 'YQ==', b: 'w6Q=' });
    expect(target?.resource['stringData']).toBeUndefined();
  });

  it.each([
    [
      'an autoscaler sets',
      ['Deployment/default/x'],
      [],
      [[{ field: 'spec' }, { field: 'replicas' }]],
    ],
    ['nobody sets', [], [], []],
    ['somebody has set by hand', ['Deployment/default/x'], ['Deployment/default/x'], []],
  ])('leaves alone replicas that %s', (_, autoscaled, byHand, paths) => {
    const [target] = targets([object('apps/v1', 'Deployment')], autoscaled, byHand);
    expect(target?.asked.ignorePaths).toEqual(paths);
  });

  it.each([
    ['a wave that is no number', { 'windlass.dev/wave': 'first' }, /first is no whole number/],
    [
      'a path that is none',
      { 'windlass.dev/ignore-differences': 'spec..x' },
      /spec\.\.x is no path/,
    ],
  ])('refuses %s', (_, annotations, message) => {
    expect(() =>
      targets([object('v1', 'ConfigMap', { metadata: { name: 'x', annotations } })]),
    ).toThrow(message);
  });

  it.each([
    [
      'of a version that the cluster does not have',
      object('apps/v1beta1', 'Deployment'),
      /has no Deployment in apps\/v1beta1/,
    ],
    ['of no kind', object('v1', 'Gizmo'), /has no Gizmo in v1/],
    ['that would not stay', object('authentication.k8s.io/v1', 'TokenReview'), /cannot be kept/],
  ])('refuses what is %s', (_, resource, message) => {
    expect(() => targets([resource])).toThrow(message);
  });
});

it('knows what an autoscaler scales', () => {
  const autoscaler = object('autoscaling/v2', 'HorizontalPodAutoscaler', {
    metadata: { name: 'x', namespace: 'shop' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
  });
  expect(autoscaledIn([autoscaler])).toEqual(['Deployment/shop/web']);
});

describe('an option of Argo CD', () => {
  function withOptions(options: string): Target[] {
    const annotations = { 'argocd.argoproj.io/sync-options': options };
    return targets([object('v1', 'ConfigMap', { metadata: { name: 'x', annotations } })]);
  }

  it.each([
    'Prune=false',
    'ServerSideApply=true,PruneLast=true',
    'SkipDryRunOnMissingResource=true',
  ])('is read where it means the same: %s', (options) => {
    expect(withOptions(options)).toHaveLength(1);
  });

  it.each([
    ['Replace=true', 'windlass.dev/replace comes near to it'],
    ['PruneLast=true, Force=true', 'windlass.dev/replace comes near to it'],
    ['Delete=false', 'windlass.dev/prune comes near to it'],
    ['Prune=confirm', 'windlass.dev/prune comes near to it'],
    ['ServerSideApply=false', undefined],
    ['Validate=false', undefined],
    ['Elsewhere=true', undefined],
  ])('is refused by name elsewhere: %s', (options, hint) => {
    const option = options.split(', ').at(-1);
    expect(() => withOptions(options)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(
          `ConfigMap/default/x: annotation argocd.argoproj.io/sync-options: ${option} is not taken, only Prune=false`,
        ) as string,
        hint,
      }),
    );
  });
});
