import { RECLAIM_ANNOTATION } from '#core/docker/kinds-claim.ts';
import type { PersistentVolumeClaim } from '#core/docker/kinds-claim.ts';
import { claimName, ordinalOf, ordinalsOf, setPodName } from '#core/docker/set-pods.ts';
import type { SetRules } from '#core/docker/set-state.ts';
import { provisionOf } from '#core/docker/storage-classes.ts';
import type { Classes } from '#core/docker/storage-classes.ts';
import type { LiveClaim, LiveRecord, Step } from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper, keepsPods } from '#core/docker/workloads.ts';
import type { ResourceStatus } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, Plan } from '#core/plan/change.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/**
 * Claims to Docker volumes. INVARIANT: a volume is removed only with a claim that said so while it was released; it
 * outlives pods, releases and this installation's records otherwise, and is found again by its name.
 */
const KIND = 'PersistentVolumeClaim';

export function claimKey({ namespace, name }: { namespace: string; name: string }): ResourceKey {
  return `${KIND}/${namespace}/${name}`;
}

/** Why the owner cannot have a claim: its volume holds what another one left. */
export function findClaimRival(
  owner: OwnerKey,
  resources: readonly Resource[],
  claims: readonly LiveClaim[],
): string | undefined {
  const wanted = new Set([
    ...resources.filter(isClaim).map(keyOf),
    ...resources.flatMap(claimsOfPods).map(({ key }) => key),
  ]);
  const taken = claims.find((claim) => claim.owner !== owner && wanted.has(claimKey(claim)));
  if (taken === undefined) return undefined;
  return `the volume of ${claimKey(taken)} holds what ${taken.owner} left, so ${owner} cannot have it: rename the claim, or remove the volume (docker volume rm ${taken.volume})`;
}

/** Makes the volumes that are not there. */
export function claimSteps(
  owner: OwnerKey,
  resources: readonly Resource[],
  claims: readonly LiveClaim[],
  classes: Classes,
): Step[] {
  return lacking(resources, claims).flatMap((claim): Step[] => {
    const { name, namespace = 'default' } = claim.metadata;
    const provision = provisionOf(classNamed(claim), classes);
    if (provision === undefined) return [];
    return [{ kind: 'createClaim', name, namespace, owner, provision }];
  });
}

/** Why the owner cannot have a claim: it asks for a class that nobody has released here. */
export function findLackingClass(
  resources: readonly Resource[],
  records: readonly LiveRecord[],
  claims: readonly LiveClaim[],
): string | undefined {
  const fresh = resources.map((resource) => ({ resource, recordedAt: Infinity }));
  const classes = [...records, ...fresh];
  const there = new Set(claims.map(claimKey));
  const asked = [
    ...lacking(resources, claims).map((claim) => ({ key: keyOf(claim), name: classNamed(claim) })),
    ...resources.flatMap(claimsOfPods).filter(({ key }) => !there.has(key)),
  ];
  const lost = asked.find(({ name }) => provisionOf(name, classes) === undefined);
  if (lost === undefined) return undefined;
  return `${lost.key} asks for the StorageClass ${lost.name}, which is not there: release it, here or before`;
}

/** Of a StatefulSet's pods, with the classes that they name. */
function claimsOfPods(resource: Resource): { key: ResourceKey; name: string | undefined }[] {
  const { workload, set } = setOf(resource) ?? {};
  if (workload === undefined || set === undefined) return [];
  const pods = ordinalsOf(workload, set).map((ordinal) => setPodName(workload, ordinal));
  return pods.flatMap((pod) =>
    set.claims.map((claim) => ({
      key: claimKey({ namespace: namespaceOf(resource), name: claimName(claim, pod) }),
      name: set.classes[claim],
    })),
  );
}

function classNamed(claim: Resource): string | undefined {
  return (claim as unknown as PersistentVolumeClaim).spec.storageClassName;
}

/** Of a claim, or a StatefulSet with claims, that is to be forgotten: the volumes that go with it. */
export function reclaimSteps(
  forgotten: ResourceKey,
  records: readonly LiveRecord[],
  claims: readonly LiveClaim[],
): Extract<Step, { kind: 'deleteClaim' }>[] {
  const record = records.find(({ key }) => key === forgotten);
  if (record === undefined || fateOf(record.resource, claims) !== 'deleted') return [];
  const declared = new Set(records.map(({ key }) => key));
  return claims
    .filter((claim) => claimKey(claim) === forgotten || isOfSet(claim, record, declared))
    .map(({ name, namespace }) => ({ kind: 'deleteClaim', name, namespace }));
}

/** Whether it was made for a pod that the StatefulSet has or had. */
function isOfSet(
  claim: LiveClaim,
  { owner, resource }: LiveRecord,
  declared: ReadonlySet<ResourceKey>,
): boolean {
  const { workload, set } = setOf(resource) ?? {};
  if (workload === undefined || set === undefined) return false;
  if (claim.owner !== owner || claim.namespace !== namespaceOf(resource)) return false;
  if (claim.reclaim === 'Retain') return false;
  if (declared.has(claimKey(claim))) return false;
  return set.claims.some((each) => {
    const prefix = claimName(each, '');
    const pod = claim.name.startsWith(prefix) ? claim.name.slice(prefix.length) : '';
    return ordinalOf(workload, pod) !== undefined;
  });
}

type NamedClaim = Pick<LiveClaim, 'name' | 'namespace' | 'reclaim'>;

/** What becomes of volumes, in the plan: that one is lost, goes, or stays. */
export function withClaimChanges(
  plan: Plan,
  resources: readonly Resource[],
  records: readonly LiveRecord[],
  claims: readonly LiveClaim[],
): Plan {
  const known = new Map(records.map(({ key, resource }) => [key, resource]));
  const planned = new Set(plan.map(({ key }) => key));
  const lost = lacking(resources, claims)
    .map(keyOf)
    .filter((key) => known.has(key) && !planned.has(key))
    .map((key): Change => ({
      action: 'update',
      key,
      fields: [],
      reason: 'its volume is gone: an empty one is made',
    }));
  return [...withClaimFates(plan, records, claims), ...lost];
}

/** The same of what is deleted alone. */
export function withClaimFates(
  plan: Plan,
  records: readonly LiveRecord[],
  claims: readonly NamedClaim[],
): Plan {
  const known = new Map(records.map(({ key, resource }) => [key, resource]));
  return plan.map((change): Change => {
    const resource = known.get(change.key);
    if (change.action !== 'delete' || resource === undefined) return change;
    const fate = fateOf(resource, claims);
    if (fate === undefined) return change;
    const what = isClaim(resource) ? 'its volume is' : 'the volumes of its claims are';
    return { ...change, reason: `${change.reason ?? ''}; ${what} ${fate}` };
  });
}

export function claimStatus(resource: Resource, claims: readonly LiveClaim[]): ResourceStatus {
  const key = keyOf(resource);
  const isBound = claims.some((claim) => claimKey(claim) === key);
  const { storage } = (resource as unknown as PersistentVolumeClaim).spec.resources.requests;
  return {
    key,
    health: isBound
      ? { status: 'Healthy', reason: '' }
      : { status: 'Progressing', reason: 'its volume is not made yet' },
    summary: `${isBound ? 'Bound' : 'Pending'}, asks for ${inWords(storage)} (Docker sets no limit)`,
  };
}

export function isClaim({ kind }: Pick<Resource, 'kind'>): boolean {
  return kind === KIND;
}

/** What becomes of its volumes when it is deleted; absent where it has none. */
function fateOf(resource: Resource, claims: readonly NamedClaim[]): 'kept' | 'deleted' | undefined {
  const set = setOf(resource)?.set;
  if (set === undefined && !isClaim(resource)) return undefined;
  if (set?.claims.length === 0) return undefined;
  const annotations = resource.metadata.annotations as Record<string, string> | undefined;
  const live = claims.find((claim) => claimKey(claim) === keyOf(resource));
  const policy = annotations?.[RECLAIM_ANNOTATION] ?? live?.reclaim;
  const goes = set?.reclaim.whenDeleted ?? policy === 'Delete';
  return goes ? 'deleted' : 'kept';
}

function setOf(resource: Resource): { workload: Workload; set: SetRules } | undefined {
  if (!keepsPods(resource)) return undefined;
  const workload = keeper(resource);
  return workload.set === undefined ? undefined : { workload, set: workload.set };
}

function namespaceOf({ metadata }: Resource): string {
  return metadata.namespace ?? 'default';
}

function lacking(resources: readonly Resource[], claims: readonly LiveClaim[]): Resource[] {
  const there = new Set(claims.map(claimKey));
  return resources.filter((resource) => isClaim(resource) && !there.has(keyOf(resource)));
}

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

export function inWords(bytes: number): string {
  const unit = UNITS.findLastIndex((_, power) => bytes >= 2 ** (10 * power));
  const amount = bytes / 2 ** (10 * Math.max(0, unit));
  return `${Number(amount.toFixed(1))}${UNITS[unit] ?? ''}`;
}
