import { RECLAIM_ANNOTATION } from '#core/docker/kinds-claim.ts';
import type { PersistentVolumeClaim } from '#core/docker/kinds-claim.ts';
import type { LiveClaim, LiveRecord, Step } from '#core/docker/world.ts';
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
  const wanted = new Set(resources.filter(isClaim).map(keyOf));
  const taken = claims.find((claim) => claim.owner !== owner && wanted.has(claimKey(claim)));
  if (taken === undefined) return undefined;
  return `the volume of ${claimKey(taken)} holds what ${taken.owner} left, so ${owner} cannot have it: rename the claim, or remove the volume (docker volume rm ${taken.volume})`;
}

/** Makes the volumes that are not there. */
export function claimSteps(
  owner: OwnerKey,
  resources: readonly Resource[],
  claims: readonly LiveClaim[],
): Step[] {
  return lacking(resources, claims).map(({ metadata }) => ({
    kind: 'createClaim',
    name: metadata.name,
    namespace: metadata.namespace ?? 'default',
    owner,
  }));
}

/** Of claims that are to be forgotten: the volumes that go with them. */
export function reclaimSteps(
  forgotten: readonly ResourceKey[],
  records: readonly LiveRecord[],
  claims: readonly LiveClaim[],
): Extract<Step, { kind: 'deleteClaim' }>[] {
  const going = new Set(
    records
      .filter(({ key, resource }) => forgotten.includes(key) && isReclaimed(resource))
      .map(({ key }) => key),
  );
  return claims
    .filter((claim) => going.has(claimKey(claim)))
    .map(({ name, namespace }) => ({ kind: 'deleteClaim', name, namespace }));
}

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
  return [
    ...plan.map((change): Change => {
      const resource = known.get(change.key);
      if (change.action !== 'delete' || resource === undefined || !isClaim(resource)) return change;
      const fate = isReclaimed(resource) ? 'its volume is deleted' : 'its volume is kept';
      return { ...change, reason: `${change.reason ?? ''}; ${fate}` };
    }),
    ...lost,
  ];
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

function isReclaimed({ metadata }: Resource): boolean {
  const annotations = metadata.annotations as Record<string, string> | undefined;
  return annotations?.[RECLAIM_ANNOTATION] === 'Delete';
}

function lacking(resources: readonly Resource[], claims: readonly LiveClaim[]): Resource[] {
  const there = new Set(claims.map(claimKey));
  return resources.filter((resource) => isClaim(resource) && !there.has(keyOf(resource)));
}

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

function inWords(bytes: number): string {
  const unit = UNITS.findLastIndex((_, power) => bytes >= 2 ** (10 * power));
  const amount = bytes / 2 ** (10 * Math.max(0, unit));
  return `${Number(amount.toFixed(1))}${UNITS[unit] ?? ''}`;
}
