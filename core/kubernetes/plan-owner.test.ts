import { describe, expect, it } from 'vitest';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { Entries } from '#core/kubernetes/inventory.ts';
import { keyOfId } from '#core/kubernetes/api-kind.ts';
import { keptObject } from '#core/kubernetes/kept-object.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import { MARK } from '#core/kubernetes/marks.ts';
import { nextDeletions, nextTargets, planOwner } from '#core/kubernetes/plan-owner.ts';
import type { Look, OwnerView } from '#core/kubernetes/plan-owner.ts';
import { targetsOf } from '#core/kubernetes/target.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { Resource } from '#core/resources/resource.ts';

const OWNER = 'shop/test';

function apiKind(kind: string, group = ''): ApiKind {
  const namespaced = !['Namespace', 'CustomResourceDefinition', 'PersistentVolume'].includes(kind);
  return { group, version: 'v1', kind, plural: `${kind.toLowerCase()}s`, namespaced, verbs: [] };
}

const KINDS = [
  ...['Namespace', 'ConfigMap', 'Secret', 'Service', 'PersistentVolumeClaim'].map((kind) =>
    apiKind(kind),
  ),
  apiKind('Deployment', 'apps'),
  apiKind('Job', 'batch'),
  apiKind('CustomResourceDefinition', 'apiextensions.k8s.io'),
];

function resource(kind: string, name: string, annotations: Record<string, string> = {}): Resource {
  const api = KINDS.find((each) => each.kind === kind);
  const group = api?.group ?? '';
  return {
    apiVersion: group === '' ? 'v1' : `${group}/v1`,
    kind,
    metadata: { name, ...(api?.namespaced === true ? { namespace: 'shop' } : {}), annotations },
  };
}

function targets(...resources: Resource[]): Target[] {
  const rules = { installation: 'i', seal: (text: string) => text, autoscaled: new Set<string>() };
  return targetsOf({ owner: OWNER, release: 'r', resources }, KINDS, rules);
}

function live(of: Resource, owner = OWNER, extra: Partial<Resource['metadata']> = {}): KeptObject {
  const [target] = targets(of);
  if (target === undefined) throw new Error('there is none');
  const { ref, resource: applied } = target;
  const marks = { ...applied.metadata.annotations, [MARK.owner]: `${owner}:${target.id}` };
  const metadata = {
    ...applied.metadata,
    annotations: marks,
    ...extra,
    uid: `uid-${ref.name}`,
    resourceVersion: '1',
  };
  return keptObject({ ...applied, metadata }, ref, { installation: 'i' });
}

interface Given {
  wanted?: Target[];
  looks?: Look[];
  entries?: Entries;
  there?: KeptObject[];
  others?: Record<string, string[]>;
  asked?: string[];
  completed?: string[];
  guard?: { share: number; atLeast: number };
}

function plan({
  wanted = [],
  looks = [],
  entries = {},
  there = [],
  others = {},
  asked = [],
  completed = [],
  guard,
}: Given): ReturnType<typeof planOwner> {
  const view: OwnerView = {
    state: { owner: OWNER, release: 'r', resources: [], ...(guard === undefined ? {} : { guard }) },
    targets: wanted,
    hooks: [],
    looks: new Map(wanted.map(({ id }, index) => [id, looks[index] ?? { kind: 'absent' }])),
    entries,
    unwanted: new Map(there.map((each) => [each.id, each])),
    wanting: new Map(Object.entries(others)),
    asked: new Set([OWNER, ...asked]),
    completed: new Set(completed),
  };
  return planOwner(view);
}

function summary({ changes, deletions, held }: ReturnType<typeof planOwner>): string[] {
  return [
    ...[...changes, ...deletions].map(({ change: { action, key } }) => `${action} ${key}`),
    ...held.map(({ key }) => `held ${key}`),
  ];
}

const GUARD = { share: 1, atLeast: 1 };
const OURS = { by: 'owner', owner: OWNER } as const;

describe('what is wanted', () => {
  it('is recorded before it is made, foundations first', () => {
    const wanted = targets(
      resource('Deployment', 'web'),
      resource('Namespace', 'shop'),
      resource('ConfigMap', 'c'),
    );
    const result = plan({ wanted });
    expect(summary(result)).toEqual([
      'create Namespace//shop',
      'create ConfigMap/shop/c',
      'create Deployment/shop/web',
    ]);
    expect(Object.keys(result.entries).toSorted()).toEqual([
      '/ConfigMap/shop/c',
      '/Namespace//shop',
      'apps/Deployment/shop/web',
    ]);
  });

  it('keeps what differs, and who set it', () => {
    const fields = [{ path: 'spec.replicas', current: '5', desired: '2' }];
    const { changes } = plan({
      wanted: targets(resource('Deployment', 'web')),
      looks: [
        { kind: 'differs', uid: 'u', claim: OURS, fields, by: ['kubectl-edit'], isDrift: true },
      ],
    });
    expect(changes.map(({ change }) => change)).toEqual([
      { action: 'update', key: 'Deployment/shop/web', fields, reason: 'set by kubectl-edit' },
    ]);
  });

  it.each([
    [
      'somebody made it by hand',
      { kind: 'same', uid: 'u', claim: { by: 'nobody' } } as const,
      /is there already, and Windlass did not make it/,
    ],
    [
      'another installation made it',
      { kind: 'same', uid: 'u', claim: { by: 'installation', installation: 'j' } } as const,
      /another installation of Windlass \(j\)/,
    ],
    [
      'another owner has it',
      { kind: 'same', uid: 'u', claim: { by: 'owner', owner: 'shop/other' } } as const,
      /belongs to shop\/other/,
    ],
    [
      'it is refused',
      { kind: 'refused', why: 'spec.replica: unknown field' } as const,
      /unknown field/,
    ],
    [
      'it cannot be changed to that',
      { kind: 'immutable', uid: 'u', claim: OURS, why: 'field is immutable' } as const,
      /field is immutable: annotate it with windlass.dev\/replace/,
    ],
  ])('is not touched where %s', (_, look, why) => {
    expect(plan({ wanted: targets(resource('Deployment', 'web')), looks: [look] }).failure).toMatch(
      why,
    );
  });

  it('is taken over where it says so, and left when it is not wanted any more', () => {
    const config = resource('ConfigMap', 'c', { 'windlass.dev/adopt': 'true' });
    const looks: Look[] = [
      {
        kind: 'differs',
        uid: 'uid-c',
        claim: { by: 'nobody' },
        fields: [{ path: 'data' }],
        by: [],
        isDrift: false,
      },
    ];
    const { entries, failure } = plan({ wanted: targets(config), looks });
    expect(failure).toBeUndefined();
    expect(entries).toEqual({ '/ConfigMap/shop/c': { uid: 'uid-c', adopted: true } });
    expect(summary(plan({ entries, there: [live(config)], guard: GUARD }))).toEqual([]);
  });

  it('is made anew where it says so', () => {
    const web = resource('Deployment', 'web', { 'windlass.dev/replace': 'true' });
    const looks: Look[] = [{ kind: 'immutable', uid: 'u', claim: OURS, why: 'field is immutable' }];
    expect(summary(plan({ wanted: targets(web), looks }))).toEqual(['replace Deployment/shop/web']);
  });

  it('is never made anew where others would go with it', () => {
    const shop = resource('Namespace', 'shop', { 'windlass.dev/replace': 'true' });
    const looks: Look[] = [{ kind: 'immutable', uid: 'u', claim: OURS, why: 'field is immutable' }];
    expect(plan({ wanted: targets(shop), looks }).failure).toMatch(/never made anew/);
  });

  it('does not come back where it is a Job that has completed', () => {
    const wanted = targets(resource('Job', 'migrate'));
    const done = wanted[0]?.hash ?? '';
    expect(
      summary(plan({ wanted, entries: { 'batch/Job/shop/migrate': { uid: 'u', done } } })),
    ).toEqual([]);
    expect(
      summary(plan({ wanted, entries: { 'batch/Job/shop/migrate': { uid: 'u', done: 'x' } } })),
    ).toEqual(['create Job/shop/migrate']);
  });

  it('does not come back either where the Job was gone before it was looked at', () => {
    const wanted = targets(resource('Job', 'migrate'));
    const [id = ''] = wanted.map((each) => each.id);
    const seen = plan({ wanted, entries: { [id]: { uid: 'u' } }, completed: [id] });
    expect(summary(seen)).toEqual([]);
    expect(seen.entries).toEqual({ [id]: { uid: 'u', done: wanted[0]?.hash } });
  });

  it('comes from another owner that wants it no more', () => {
    const look: Look = { kind: 'same', uid: 'u', claim: { by: 'owner', owner: 'shop/other' } };
    const wanted = targets(resource('Deployment', 'web'));
    expect(plan({ wanted, looks: [look], asked: ['shop/other'] }).failure).toBeUndefined();
    const others = { 'apps/Deployment/shop/web': ['shop/other', OWNER] };
    expect(plan({ wanted, looks: [look], asked: ['shop/other'], others }).failure).toMatch(
      /belongs to/,
    );
  });

  it("is one owner's alone where two want it at once", () => {
    const others = { 'apps/Deployment/shop/web': ['shop/a', OWNER] };
    expect(plan({ wanted: targets(resource('Deployment', 'web')), others }).failure).toMatch(
      /wanted by shop\/a too/,
    );
  });
});

describe('what is not wanted any more', () => {
  const web = live(resource('Deployment', 'web'));
  const entries = { [web.id]: { uid: web.uid } };

  it('goes', () => {
    expect(summary(plan({ entries, there: [web], guard: GUARD }))).toEqual([
      'delete Deployment/shop/web',
    ]);
  });

  it.each([
    ['is gone already', []],
    ['was made anew by somebody', [{ ...web, uid: 'other', claim: { by: 'nobody' } as const }]],
    ["is another owner's by now", [live(resource('Deployment', 'web'), 'shop/other')]],
    ['is to be kept', [live(resource('Deployment', 'web', { 'windlass.dev/prune': 'false' }))]],
    [
      'is to be kept by an option of Argo CD',
      [
        live(
          resource('Deployment', 'web', {
            'argocd.argoproj.io/sync-options': 'ServerSideApply=true, Prune=false',
          }),
        ),
      ],
    ],
    ['goes with what controls it', [{ ...web, isControlled: true }]],
  ])('is forgotten where it %s', (_, there) => {
    const result = plan({ entries, there, guard: GUARD });
    expect(summary(result)).toEqual([]);
    expect(result.entries).toEqual({});
  });

  it('stays until another owner that wants it has it', () => {
    const result = plan({
      entries,
      there: [web],
      guard: GUARD,
      others: { [web.id]: ['shop/other'] },
    });
    expect(summary(result)).toEqual([]);
    expect(result.entries).toEqual(entries);
  });

  it('goes although our marks were taken off it', () => {
    const unmarked = { ...web, claim: { by: 'nobody' } as const };
    expect(summary(plan({ entries, there: [unmarked], guard: GUARD }))).toEqual([
      'delete Deployment/shop/web',
    ]);
  });

  it.each(['Namespace', 'PersistentVolumeClaim', 'CustomResourceDefinition'])(
    'waits for a confirmation where it is a %s',
    (kind) => {
      const object = live(resource(kind, 'x'));
      const owned = { [object.id]: { uid: object.uid } };
      expect(summary(plan({ entries: owned, there: [object], guard: GUARD }))).toEqual([
        `held ${keyOfId(object.id)}`,
      ]);
      expect(summary(plan({ entries: owned, there: [object] }))).toEqual([
        `delete ${keyOfId(object.id)}`,
      ]);
      const allowed = live(resource(kind, 'x', { 'windlass.dev/prune': 'true' }));
      expect(summary(plan({ entries: owned, there: [allowed], guard: GUARD }))).toEqual([
        `delete ${keyOfId(object.id)}`,
      ]);
    },
  );

  it('waits for a confirmation where it is much of what there is', () => {
    const there = ['a', 'b', 'c', 'd'].map((name) => live(resource('ConfigMap', name)));
    const owned = Object.fromEntries(there.map(({ id, uid }) => [id, { uid }]));
    const result = plan({ entries: owned, there, guard: { share: 0.3, atLeast: 3 } });
    expect(summary(result)).toEqual(there.map(({ id }) => `held ${keyOfId(id)}`));
    expect(Object.values(result.entries)).toEqual(there.map(({ uid }) => ({ uid, held: true })));
  });

  it('goes in the reverse of the order in which it came', () => {
    const there = [
      live(resource('Namespace', 'shop', { 'windlass.dev/wave': '9' })),
      live(resource('ConfigMap', 'late', { 'windlass.dev/wave': '2' })),
      live(resource('ConfigMap', 'c')),
      live(resource('Deployment', 'web')),
    ];
    const owned = Object.fromEntries(there.map(({ id, uid }) => [id, { uid }]));
    const { deletions } = plan({ entries: owned, there });
    expect(deletions.map(({ id }) => id)).toEqual([
      '/ConfigMap/shop/late',
      'apps/Deployment/shop/web',
      '/ConfigMap/shop/c',
      '/Namespace//shop',
    ]);
    expect(nextDeletions(deletions).map(({ id }) => id)).toEqual(['/ConfigMap/shop/late']);
    const going = deletions.map((each, index) => ({ ...each, isGoing: index === 0 }));
    expect(nextDeletions(going)).toEqual([]);
  });
});

describe('waves', () => {
  const wanted = targets(
    resource('Namespace', 'shop', { 'windlass.dev/wave': '5' }),
    resource('ConfigMap', 'first', { 'windlass.dev/wave': '-1' }),
    resource('Deployment', 'web'),
    resource('Deployment', 'last', { 'windlass.dev/wave': '1' }),
  );
  const all = new Set(wanted.map(({ id }) => id));

  it.each([
    ['foundations come before all waves', all, all, ['shop']],
    ['then the lowest', new Set([...all].slice(1)), new Set([...all].slice(1)), ['first']],
    [
      'nothing comes while a lower one is not well',
      new Set([...all].slice(3)),
      new Set([...all].slice(2)),
      [],
    ],
    [
      'the next comes when the lower ones are well',
      new Set([...all].slice(3)),
      new Set([...all].slice(3)),
      ['last'],
    ],
  ])('%s', (_, changing, unwell, names) => {
    const next = nextTargets(wanted, changing, ({ id }) => !unwell.has(id));
    expect(next.map(({ ref }) => ref.name)).toEqual(names);
  });
});
