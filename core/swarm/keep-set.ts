import type { PodTemplate } from '#core/docker/kinds.ts';
import { nextOrderedStep } from '#core/docker/ordered-rollout.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { ordinalOf, ordinalsOf, withOrdinal } from '#core/docker/set-pods.ts';
import { templateBefore } from '#core/docker/set-state.ts';
import type { SetRules } from '#core/docker/set-state.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { LivePod } from '#core/docker/world.ts';
import { isToWrite, keepService } from '#core/swarm/keep-service.ts';
import type { Keeper, KeepScope, Kept } from '#core/swarm/keep-service.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { serviceStatus } from '#core/swarm/service-status.ts';
import type { ServiceStatus } from '#core/swarm/service-status.ts';
import { podOfService } from '#core/swarm/task-pods.ts';
import { hasEnded } from '#core/swarm/task-words.ts';
import type { LiveService, SwarmRecord, SwarmStep } from '#core/swarm/world.ts';

const CURRENT = 'current';
const OLDER = 'older';

/**
 * What a StatefulSet needs next: a service of one task for each of its pods. They come, change and go in the order that
 * the docker engine has. One that goes is scaled to nothing first: a service that is gone does not tell when its task is.
 */
export function keepSet(
  workload: Workload,
  set: SetRules,
  record: SwarmRecord | undefined,
  scope: KeepScope,
): Keeper {
  const { now } = scope;
  const before = templateBefore(workload, record);
  const all = ordinalsOf(workload, set).map((ordinal) => {
    const isHeld = before !== undefined && ordinal - set.start < set.partition;
    const made = isHeld ? withTemplate(workload, before) : workload;
    const recorded = record === undefined ? undefined : { recordedAt: record.recordedAt };
    const one = withOrdinal(made, set, ordinal);
    return keepService({ ...one, spec: { ...one.spec, replicas: 1 } }, recorded, scope);
  });
  const surplus = surplusOf(workload, all, scope);
  const pods = [...all.flatMap(asPod), ...surplus.map((service) => leavingPod(service, scope))];
  // Each service is wanted as it is to be, those below the partition too.
  const step = nextOrderedStep(workload, { ...set, partition: 0 }, CURRENT, { pods, now });
  const turns = new Set([...step.create, ...step.remove.map(({ name }) => name)]);
  const kept = all.map((each) => ({ ...each, waits: each.waits || !turns.has(each.part) }));
  const isUpdated = step.complete && set.partition === 0;
  return {
    key: keeperOf(workload),
    kept,
    steps: [
      ...kept.flatMap(({ part, volumes }) => (turns.has(part) ? volumes : [])),
      ...surplus.flatMap((service) => goingSteps(service, turns, scope)),
    ],
    remembered: before === undefined || isUpdated ? {} : { set: { before } },
    status: setStatus(workload, kept, { complete: step.complete, wakeAt: step.wakeAt }),
  };
}

function withTemplate(workload: Workload, template: PodTemplate): Workload {
  return { ...workload, spec: { ...workload.spec, template } };
}

/** Those of pods that it is to have no more. */
function surplusOf(
  workload: Workload,
  all: readonly Kept[],
  { world, owner }: KeepScope,
): LiveService[] {
  const key = keeperOf(workload);
  return world.services.filter(
    (each) =>
      each.key === key &&
      each.owner === owner &&
      ordinalOf(workload, each.part) !== undefined &&
      !all.some(({ part }) => part === each.part),
  );
}

function asPod(kept: Kept): LivePod[] {
  const { live, part, tasks, wanted } = kept;
  if (live === undefined) return [];
  const hash = wanted.TaskTemplate.ContainerSpec.Labels[MARK.templateHash];
  const isOlder = isToWrite(kept);
  // Swarm may not have come to what it was told.
  const counted = tasks.filter((task) => isOlder || task.templateHash === hash);
  return [podOfService(part, isOlder ? OLDER : CURRENT, counted)];
}

function leavingPod(service: LiveService, { world }: KeepScope): LivePod {
  const tasks = world.tasks.filter((task) => task.service === service.id);
  const pod = podOfService(service.part, OLDER, tasks);
  return isScaledDown(service) ? { ...pod, deletingSince: service.updatedAt } : pod;
}

function isScaledDown({ spec }: LiveService): boolean {
  const { Mode } = spec as Pick<ServiceSpec, 'Mode'>;
  return 'Replicated' in Mode && (Mode.Replicated.Replicas ?? 0) === 0;
}

function goingSteps(
  service: LiveService,
  turns: ReadonlySet<string>,
  { world, owner }: KeepScope,
): SwarmStep[] {
  const { id, version, part } = service;
  const hasTasks = world.tasks.some((task) => task.service === id && !hasEnded(task));
  if (isScaledDown(service))
    return hasTasks ? [] : [{ kind: 'removeService', owner, id, why: `${part} has gone` }];
  return turns.has(part) ? [{ kind: 'endTasks', owner, id, version }] : [];
}

function setStatus(
  workload: Workload,
  kept: readonly Kept[],
  { complete, wakeAt }: { complete: boolean; wakeAt: number | undefined },
): ServiceStatus {
  const all = kept.map((each) => ({ part: each.part, ...serviceStatus(each) }));
  const failed = all.find(({ failure }) => failure !== undefined);
  const ready = all.reduce((sum, { status }) => sum + (status.replicas?.ready ?? 0), 0);
  const waiting = all.find(({ status }) => status.health.status !== 'Healthy');
  const isComplete = complete && waiting === undefined;
  const { name } = workload.metadata;
  const of = failed ?? waiting;
  const reason =
    of === undefined
      ? 'pods that are not wanted are still there'
      : `${of.part}: ${of.status.health.reason}`;
  const wakes = [wakeAt, ...all.map((each) => each.wakeAt)].filter((at) => at !== undefined);
  return {
    status: {
      key: keeperOf(workload),
      health: isComplete
        ? { status: 'Healthy', reason: '' }
        : { status: of?.status.health.status === 'Degraded' ? 'Degraded' : 'Progressing', reason },
      summary: `${ready} of ${kept.length} ready`,
      replicas: { desired: kept.length, ready },
      pods: all.flatMap(({ status }) => status.pods ?? []),
    },
    ...(failed === undefined
      ? {}
      : { failure: `StatefulSet ${name}: ${failed.part}: ${failed.status.health.reason}` }),
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}
