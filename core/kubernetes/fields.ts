import type { FieldPath } from '#core/field-path.ts';
import api from './api.json' with { type: 'json' };

/** Field to type: `string`, `integer`, `PodSpec`, `Container[]` (a list), `string{}` (a mapping). */
type Fields = Readonly<Record<string, string>>;

const TYPES: Readonly<Record<string, Fields>> = api.types;
const KINDS: Readonly<Record<string, { apiVersion: string; type: string }>> = api.kinds;

/** The fields of one of Kubernetes' own types; absent for `string` and the like, and mappings of free keys. */
export function fieldsOf(type: string): Fields | undefined {
  return Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
}

/** Kubernetes' name of the type of what is at the path; absent where Kubernetes has nothing there. */
export function typeAt(kind: string, path: FieldPath): string | undefined {
  const root = Object.hasOwn(KINDS, kind) ? KINDS[kind]?.type : undefined;
  return path.reduce<string | undefined>(
    (type, segment) => (type === undefined ? undefined : childType(type, segment)),
    root,
  );
}

function childType(type: string, segment: string | number): string | undefined {
  if (typeof segment === 'number')
    return type.endsWith('[]') ? type.slice(0, -'[]'.length) : undefined;
  if (type.endsWith('{}')) return type.slice(0, -'{}'.length);
  const fields = fieldsOf(type) ?? {};
  return Object.hasOwn(fields, segment) ? fields[segment] : undefined;
}
