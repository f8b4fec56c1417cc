import { UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, FieldDiff, Plan } from '#core/plan/change.ts';
import { diffFields } from '#core/plan/diff.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** A resource that is there, and whose it is. */
export interface Owned {
  key: ResourceKey;
  owner: OwnerKey;
  resource: Resource;
}

/**
 * The changes that turn what `owner` has into what it wants, in `kinds`' order, deletions last and in the reverse of
 * it. Both sides are normalised, Secret values replaced by equal stand-ins. What others own is never deleted.
 *
 * @throws UserError `conflict` where another owner has a resource that this one wants
 */
export function planResources(
  owner: OwnerKey,
  desired: readonly Resource[],
  live: readonly Owned[],
  kinds: readonly string[],
): Plan {
  const current = new Map(live.map((owned) => [owned.key, owned]));
  const wanted = new Set(desired.map(keyOf));
  const changes = inOrder(desired, kinds).flatMap((resource) =>
    changeOf(owner, resource, current.get(keyOf(resource))),
  );
  const gone = live
    .filter((owned) => owned.owner === owner && !wanted.has(owned.key))
    .map(({ resource }) => resource);
  const deletions = inOrder(gone, kinds)
    .toReversed()
    .map((resource): Change => ({
      action: 'delete',
      key: keyOf(resource),
      fields: [],
      reason: 'not in git any more',
    }));
  return [...changes, ...deletions];
}

/** By kind: fields that Kubernetes changes only by deleting and making anew. */
const IMMUTABLE: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec.selector'],
  DaemonSet: ['spec.selector'],
  Job: ['spec.template', 'spec.completion'],
};

function changeOf(owner: OwnerKey, desired: Resource, current: Owned | undefined): Change[] {
  const key = keyOf(desired);
  if (current === undefined) return [{ action: 'create', key, fields: [] }];
  if (current.owner !== owner) {
    throw new UserError(
      'conflict',
      `${key} belongs to ${current.owner}, so ${owner} cannot have it too`,
      {
        hint: 'rename it, use another namespace, or take it out of the other one first',
      },
    );
  }
  const fields = diffFields(current.resource, desired).map((field) => display(desired.kind, field));
  if (fields.length === 0) return [];
  const immutable = IMMUTABLE[desired.kind] ?? [];
  const isReplaced = fields.some(({ path }) => immutable.some((each) => path.startsWith(each)));
  return [{ action: isReplaced ? 'replace' : 'update', key, fields }];
}

/** Values of a Secret are never shown, only that they differ. */
function display(kind: string, { path, current, desired }: FieldDiff): FieldDiff {
  const field = path.replace(/^\./, '');
  const isHidden = kind === 'Secret' && /^data\b/.test(field);
  return {
    path: field,
    ...(current === undefined ? {} : { current: isHidden ? '*** (before)' : current }),
    ...(desired === undefined ? {} : { desired: isHidden ? '*** (after)' : desired }),
  };
}

function inOrder(resources: readonly Resource[], kinds: readonly string[]): Resource[] {
  return resources.toSorted(
    (one, other) =>
      kinds.indexOf(one.kind) - kinds.indexOf(other.kind) || keyOf(one).localeCompare(keyOf(other)),
  );
}
