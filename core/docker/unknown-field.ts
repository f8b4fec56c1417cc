import { whyNoSuchKey, whyNotApplicable } from '#core/docker/refusals.ts';
import type { FieldPath } from '#core/field-path.ts';
import { fieldsOf, typeAt } from '#core/kubernetes/fields.ts';
import { nearest } from '#core/suggest.ts';
import type { UnknownKey } from '#core/zod-problems.ts';

/** Why the docker engine does not take a field. `unknown`: nor does Kubernetes. */
export type Refusal =
  | { why: 'unknown' }
  | { why: 'not yet' }
  | { why: 'not applicable'; reason: string };

export function refusalOf(kind: string, path: FieldPath): Refusal {
  const field = path.at(-1);
  const type = typeAt(kind, path.slice(0, -1));
  if (type === undefined || typeof field !== 'string') return { why: 'unknown' };
  const owner = `${typeAt(kind, path.slice(0, -2))}.${path.at(-2)}`;
  if (type.endsWith('{}')) return because(whyNoSuchKey(owner, field));
  if (!Object.hasOwn(fieldsOf(type) ?? {}, field)) return { why: 'unknown' };
  return because(whyNotApplicable(`${type}.${field}`, `${owner}.${field}`));
}

function because(reason: string | undefined): Refusal {
  return reason === undefined ? { why: 'not yet' } : { why: 'not applicable', reason };
}

/** Tells a field that is misspelt from one that only this engine does not take. */
export function describeUnknownField(kind: string): UnknownKey {
  return (path, known, present) => {
    const field = String(path.at(-1));
    const refusal = refusalOf(kind, path);
    if (refusal.why === 'not yet')
      return { message: 'the docker engine does not honour this field yet' };
    if (refusal.why === 'not applicable')
      return { message: `has no meaning on the docker engine: ${refusal.reason}` };
    const official = Object.keys(fieldsOf(typeAt(kind, path.slice(0, -1)) ?? '') ?? {});
    const meant = nearest(
      field,
      [...known, ...official].filter((other) => !present.has(other)),
    );
    const message = 'Kubernetes has no such field';
    if (meant !== undefined) return { message, hint: `did you mean ${meant}?`, meant };
    return known.length === 0 ? { message } : { message, hint: `its fields: ${known.join(', ')}` };
  };
}
