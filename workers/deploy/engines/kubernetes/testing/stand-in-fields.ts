import type { ManagedFields } from '#core/kubernetes/live-object.ts';

/**
 * Server-side apply, as far as the stand-in has it: fields of mappings, each for itself; lists are one field each. Paths
 * are lists of keys.
 */
type Fields = Record<string, unknown>;
type Path = readonly string[];

interface FieldConflict {
  manager: string;
  field: string;
}

interface Owned {
  manager: string;
  operation: ManagedFields['operation'];
  paths: Path[];
}

interface Applied {
  object: Fields;
  managed: ManagedFields[];
  conflicts: FieldConflict[];
}

/** What is never anybody's: the server's own, and what says which object it is. */
const UNOWNED = new Set(['apiVersion', 'kind', 'status']);
const UNOWNED_METADATA = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
  'generation',
]);

export function applyFields(
  live: Fields,
  managed: readonly ManagedFields[],
  wanted: Fields,
  { manager, force }: { manager: string; force: boolean },
): Applied {
  const before = managed.map(asOwned);
  const mine = before.find((each) => each.manager === manager && each.operation === 'Apply');
  const others = before.filter((each) => each !== mine);
  const paths = leavesOf(wanted);
  const changed = paths.filter((path) => !isSame(at(live, path), at(wanted, path)));
  const conflicts = others.flatMap((each) =>
    each.paths
      .filter((path) => changed.some((own) => isSame(own, path)))
      .map((path) => ({ manager: each.manager, field: `.${path.join('.')}` })),
  );
  const left = (mine?.paths ?? []).filter(
    (path) => !has(paths, path) && !others.some((each) => has(each.paths, path)),
  );
  const object = structuredClone(live);
  for (const path of left) remove(object, path);
  for (const path of paths) {
    const value = at(wanted, path);
    // Nothing in a mapping is no word on what others have in it.
    if (!isFields(value) || !isFields(at(object, path))) set(object, path, value);
  }
  const rest = others.map((each) => ({
    ...each,
    paths: each.paths.filter((path) => !has(changed, path)),
  }));
  const next: Owned[] = [...rest, { manager, operation: 'Apply', paths }];
  return {
    object,
    managed: next.filter((each) => each.paths.length > 0).map(asManaged),
    conflicts: force ? [] : conflicts,
  };
}

/** As any other write: the fields that it changes are its manager's. */
export function updateFields(
  live: Fields,
  managed: readonly ManagedFields[],
  next: Fields,
  manager: string,
): ManagedFields[] {
  const paths = leavesOf(next);
  const changed = paths.filter((path) => !isSame(at(live, path), at(next, path)));
  const before = managed.map(asOwned).map((each) => ({
    ...each,
    paths: each.paths.filter((path) => has(paths, path) && !has(changed, path)),
  }));
  const mine = before.find((each) => each.manager === manager && each.operation === 'Update');
  const own: Owned = { manager, operation: 'Update', paths: [...(mine?.paths ?? []), ...changed] };
  return [...before.filter((each) => each !== mine), own]
    .filter((each) => each.paths.length > 0)
    .map(asManaged);
}

/** RFC 7386. */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const fields = isFields(value) ? { ...value } : {};
  for (const [key, each] of Object.entries(patch)) {
    if (each === null) delete fields[key];
    else fields[key] = mergePatch(fields[key], each);
  }
  return fields;
}

function leavesOf(value: Fields, path: Path = []): Path[] {
  return Object.entries(value).flatMap(([key, each]) => {
    const here = [...path, key];
    if (path.length === 0 && UNOWNED.has(key)) return [];
    if (path.length === 1 && path[0] === 'metadata' && UNOWNED_METADATA.has(key)) return [];
    return isFields(each) && Object.keys(each).length > 0 ? leavesOf(each, here) : [here];
  });
}

function asOwned({ manager, operation, fieldsV1 = {} }: ManagedFields): Owned {
  return { manager, operation, paths: pathsIn(fieldsV1) };
}

function pathsIn(tree: Fields, path: Path = []): Path[] {
  return Object.entries(tree).flatMap(([key, inner]) => {
    const here = [...path, key.slice('f:'.length)];
    return isFields(inner) && Object.keys(inner).length > 0 ? pathsIn(inner, here) : [here];
  });
}

function asManaged({ manager, operation, paths }: Owned): ManagedFields {
  const fieldsV1: Fields = {};
  for (const path of paths)
    set(
      fieldsV1,
      path.map((key) => `f:${key}`),
      {},
    );
  return { manager, operation, fieldsV1 };
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((parent, key) => (isFields(parent) ? parent[key] : undefined), value);
}

function set(object: Fields, path: Path, value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    object[key] = value;
    return;
  }
  const inner = object[key];
  const next = isFields(inner) ? inner : {};
  object[key] = next;
  set(next, rest, value);
}

function remove(object: Fields, path: Path): void {
  const [key = '', ...rest] = path;
  const inner = object[key];
  if (rest.length === 0) delete object[key];
  else if (isFields(inner)) remove(inner, rest);
}

function has(paths: readonly Path[], wanted: Path): boolean {
  return paths.some((path) => isSame(path, wanted));
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
