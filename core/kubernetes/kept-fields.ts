import { keysMatch } from '#core/kubernetes/field-sets.ts';
import type { ManagedFields } from '#core/kubernetes/live-object.ts';
import { FIELD_MANAGER } from '#core/kubernetes/marks.ts';
import type { Resource } from '#core/resources/resource.ts';

type Tree = Readonly<Record<string, unknown>>;

/**
 * Whether every field of what was applied is ours still, by what the API server keeps of who has set what: a field that
 * somebody else changes is taken off the list of who applied it. False where it cannot be told: the API server tells then.
 */
export function ownsAllOf(
  { apiVersion: _version, kind: _kind, metadata, ...fields }: Resource,
  managed: readonly ManagedFields[] = [],
): boolean {
  const ours = managed.find(
    ({ manager, operation, subresource = '' }) =>
      manager === FIELD_MANAGER && operation === 'Apply' && subresource === '',
  );
  if (ours?.fieldsV1 === undefined) return false;
  const { name: _name, namespace: _namespace, ...others } = metadata;
  return isOwned({ ...fields, metadata: others }, ours.fieldsV1);
}

function isOwned(value: unknown, tree: Tree): boolean {
  // A leaf is owned as a whole.
  if (Object.keys(tree).length === 0) return true;
  if (Array.isArray(value)) return value.every((item: unknown) => isItemOwned(item, tree));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(([name, field]) => {
    const inner = tree[`f:${name}`];
    return isTree(inner) && isOwned(field, inner);
  });
}

function isItemOwned(item: unknown, tree: Tree): boolean {
  if (typeof item !== 'object' || item === null)
    return Object.hasOwn(tree, `v:${JSON.stringify(item)}`);
  return Object.entries(tree).some(
    ([key, inner]) =>
      key.startsWith('k:') && keysMatch(item, key) && isTree(inner) && isOwned(item, inner),
  );
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}
