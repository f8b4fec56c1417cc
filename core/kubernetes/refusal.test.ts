import { describe, expect, it } from 'vitest';
import { conflictText, refusalKind, refusedFields } from '#core/kubernetes/refusal.ts';

/** As Kubernetes 1.36 answers. */
const IMMUTABLE = {
  status: 422,
  detail: 'Deployment.apps "web" is invalid: spec.selector: Invalid value: …: field is immutable',
  causes: [
    {
      reason: 'FieldValueInvalid',
      message: 'Invalid value: {}: field is immutable',
      field: 'spec.selector',
    },
  ],
};
const CONFLICT = {
  status: 409,
  detail:
    'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
  causes: [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "kubectl-edit" using apps/v1',
      field: '.spec.replicas',
    },
  ],
};

describe('refusalKind', () => {
  it.each([
    ['a field that cannot be changed', IMMUTABLE, 'immutable'],
    ["another manager's field", CONFLICT, 'conflict'],
    [
      'a StatefulSet, whose fields are told in one sentence',
      {
        status: 422,
        detail: '',
        causes: [
          {
            reason: 'FieldValueForbidden',
            message:
              "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
            field: 'spec',
          },
        ],
      },
      'immutable',
    ],
    [
      'an indexed Job whose completions change with its template',
      {
        ...IMMUTABLE,
        causes: [
          ...IMMUTABLE.causes,
          {
            reason: 'FieldValueInvalid',
            message: 'Invalid value: 1: can only be modified in tandem with spec.parallelism',
            field: 'spec.completions',
          },
        ],
      },
      'immutable',
    ],
    [
      'a wrong object, although a field of it cannot be changed either',
      {
        ...IMMUTABLE,
        causes: [
          ...IMMUTABLE.causes,
          { reason: 'FieldValueRequired', message: 'Required value', field: 'x' },
        ],
      },
      'invalid',
    ],
    [
      'a wrong object without causes',
      { status: 422, detail: 'field is immutable', causes: [] },
      'invalid',
    ],
    [
      'an object that has changed meanwhile',
      { status: 409, detail: 'the object has been modified', causes: [] },
      'invalid',
    ],
    [
      'a namespace that is not there',
      { status: 404, detail: 'namespaces "shop" not found', causes: [] },
      'no-namespace',
    ],
  ])('%s', (_, refusal, kind) => {
    expect(refusalKind(refusal)).toBe(kind);
  });
});

it('names the fields of a conflict and their managers', () => {
  expect(conflictText(CONFLICT)).toBe('spec.replicas is set by kubectl-edit');
});

it('says of a Secret too which right is lacking, and nothing after it', () => {
  const detail =
    'secrets "a" is forbidden: User "system:serviceaccount:shop:deploy" cannot patch resource "secrets" in API group "" in the namespace "shop": hunter2';
  expect(refusedFields({ status: 403, detail, causes: [] }, true)).toBe(
    'secrets "a" is forbidden: User "system:serviceaccount:shop:deploy" cannot patch resource "secrets" in API group ""',
  );
  const webhook = 'admission webhook "w" denied the request: hunter2 is forbidden';
  expect(refusedFields({ status: 403, detail: webhook, causes: [] }, true)).not.toContain(
    'hunter2',
  );
});

it('repeats no value of a Secret', () => {
  const refusal = {
    status: 422,
    detail: 'Secret "s" is invalid: data[a]: Invalid value: "hunter2"',
    causes: [
      { reason: 'FieldValueInvalid', message: 'Invalid value: "hunter2"', field: 'data[a]' },
    ],
  };
  expect(refusedFields(refusal, true)).toBe('data[a] (FieldValueInvalid)');
  expect(refusedFields(refusal, false)).toContain('hunter2');
});
