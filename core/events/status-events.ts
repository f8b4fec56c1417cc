import { overrideText } from '#core/by-hand/overrides.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import type { ContainerStatus, PodStatus, ResourceStatus } from '#core/engine.ts';
import type { ClusterEvent } from '#core/events/event.ts';
import { HEALTH_ORDER } from '#core/health.ts';
import type { HealthStatus } from '#core/health.ts';
import type { ClusterStatus, OwnerReport } from '#core/ports.ts';
import { heldText } from '#core/present/held-text.ts';

type Status = Pick<ClusterStatus, 'owners' | 'orphans'>;
/** All but the time and what it is about. */
type Told = Pick<ClusterEvent, 'type' | 'reason' | 'message'> &
  Partial<Pick<ClusterEvent, 'resource' | 'pod'>>;

/** What happened between two looks at a cluster, as far as it can be seen. */
export function statusEvents(before: Status, after: Status, at: number): ClusterEvent[] {
  const known = new Map(before.owners.map((each) => [each.owner, each]));
  const orphaned = new Set(before.orphans.map(({ owner }) => owner));
  const still = new Set([...after.owners, ...after.orphans].map(({ owner }) => owner));
  const owners = after.owners.flatMap((each) =>
    tell(each.owner, ownerEvents(known.get(each.owner), each)),
  );
  const orphans = after.orphans
    .filter(({ owner }) => !orphaned.has(owner))
    .flatMap(({ owner }) =>
      tell(owner, [warning('Orphaned', 'not declared here any more; what it deployed stays')]),
    );
  const gone = [...before.owners, ...before.orphans]
    .filter(({ owner }) => !still.has(owner))
    .flatMap(({ owner }) => tell(owner, [normal('Removed', 'nothing of it is left here')]));
  return [...owners, ...orphans, ...gone];

  function tell(owner: string, told: readonly Told[]): ClusterEvent[] {
    return told.map((each) => ({ at, owner, ...each }));
  }
}

function ownerEvents(before: OwnerReport | undefined, after: OwnerReport): Told[] {
  const known = new Map(before?.resources.map((resource) => [resource.key, resource]));
  return [
    ...releaseEvents(before, after),
    ...suspensionEvents(before, after),
    ...overrideEvents(before?.overrides ?? [], after.overrides),
    ...heldEvents(before, after),
    ...after.resources.flatMap((resource) => resourceEvents(known.get(resource.key), resource)),
    ...(after.failure !== undefined && after.failure !== before?.failure
      ? [warning('Failed', after.failure)]
      : []),
  ];
}

function releaseEvents(before: OwnerReport | undefined, { release, failure }: OwnerReport): Told[] {
  // What cannot be read has none.
  const isUnread = release === '' && failure !== undefined;
  if (before?.release === release || isUnread) return [];
  const known = before?.release.slice(0, 12) ?? '';
  const from = known === '' ? '' : `, after ${known}`;
  return release === ''
    ? [normal('Deleting', 'everything it has here is being removed')]
    : [normal('Released', `release ${release.slice(0, 12)}${from}`)];
}

function suspensionEvents(before: OwnerReport | undefined, { suspended }: OwnerReport): Told[] {
  if (suspended !== undefined && before?.suspended === undefined) {
    const why = suspended.reason === undefined ? '' : `: ${suspended.reason}`;
    return [warning('Suspended', `by ${suspended.who}${why}`)];
  }
  if (suspended === undefined && before?.suspended !== undefined)
    return [normal('Resumed', `it was suspended by ${before.suspended.who}`)];
  return [];
}

function overrideEvents(before: readonly Override[], after: readonly Override[]): Told[] {
  const began = missingIn(before, after).map((each) => ({
    ...normal(each.kind === 'scale' ? 'Scaled' : 'Restarting', overrideText(each)),
    resource: each.resource,
  }));
  const ended = missingIn(after, before)
    .filter(({ kind }) => kind === 'scale')
    .map((each) => ({
      ...normal('ScaleEnded', `no longer ${overrideText(each)}`),
      resource: each.resource,
    }));
  return [...ended, ...began];
}

function missingIn(some: readonly Override[], others: readonly Override[]): Override[] {
  const known = new Set(some.map(({ kind, resource, at }) => `${kind} ${resource} ${at}`));
  return others.filter(({ kind, resource, at }) => !known.has(`${kind} ${resource} ${at}`));
}

function heldEvents(
  before: OwnerReport | undefined,
  { owner, held, release }: OwnerReport,
): Told[] {
  const isNew = held.length > 0 && (before?.held.length === 0 || before?.release !== release);
  const [pipeline = '', entry = ''] = owner.split('/');
  return isNew ? [warning('DeletionsWait', heldText(pipeline, entry, held))] : [];
}

function resourceEvents(before: ResourceStatus | undefined, after: ResourceStatus): Told[] {
  const { key: resource, health } = after;
  const pods = new Map(before?.pods?.map((pod) => [pod.name, pod]));
  const restarts = (after.pods ?? []).flatMap((pod) => restartEvents(pods.get(pod.name), pod));
  // What is new and well says nothing; that it was created is told.
  const was = before?.health.status ?? 'Healthy';
  const isNews = was !== health.status;
  const { notSpread } = after;
  const isGivenUp = notSpread !== undefined && before?.notSpread === undefined;
  return [
    ...restarts,
    ...(isNews ? [healthEvent(was, after)] : []),
    ...(isGivenUp ? [warning('NotSpread', notSpread)] : []),
  ].map((told) => ({ ...told, resource }));
}

function healthEvent(was: HealthStatus, { health, summary }: ResourceStatus): Told {
  const isWorse = HEALTH_ORDER.indexOf(health.status) > HEALTH_ORDER.indexOf(was);
  const isBad = isWorse && health.status !== 'Progressing' && health.status !== 'Suspended';
  const message = health.reason === '' ? summary : health.reason;
  return isBad ? warning(health.status, message) : normal(health.status, message);
}

function restartEvents(before: PodStatus | undefined, after: PodStatus): Told[] {
  return after.containers.flatMap((container) => {
    const known = before?.containers.find(({ name }) => name === container.name)?.restarts ?? 0;
    if (container.restarts <= known) return [];
    return [{ ...warning('Restarted', restartText(container)), pod: after.name }];
  });
}

function restartText({ name, restarts, exitCode, reason, message }: ContainerStatus): string {
  const how = [
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
    ...(reason === undefined ? [] : [reason]),
    ...(message === undefined ? [] : [message]),
  ];
  const times = `container ${name}, ${restarts} ${restarts === 1 ? 'time' : 'times'} in all`;
  return how.length === 0 ? times : `${times}: ${how.join(', ')}`;
}

function normal(reason: string, message: string): Told {
  return { type: 'Normal', reason, message };
}

function warning(reason: string, message: string): Told {
  return { type: 'Warning', reason, message };
}
