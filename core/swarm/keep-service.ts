import type { CronState } from '#core/docker/cron-state.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import type { SetState } from '#core/docker/set-state.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { claimsFor } from '#core/swarm/claims.ts';
import { differences } from '#core/swarm/differences.ts';
import type { Seal } from '#core/swarm/files.ts';
import { moveFirst } from '#core/swarm/move-first.ts';
import type { Leaving } from '#core/swarm/move-first.ts';
import { rolloutOf, surgeKey } from '#core/swarm/rollout.ts';
import type { EndpointMode, ServiceSpec } from '#core/swarm/service.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import { partOf, serviceOf } from '#core/swarm/service-of.ts';
import type { WantedService } from '#core/swarm/service-of.ts';
import { isCompleted, isServing, whyFailed } from '#core/swarm/service-status.ts';
import type { KeptService, ServiceStatus } from '#core/swarm/service-status.ts';
import { keepingMark, spreadAnew } from '#core/swarm/spread.ts';
import type { Turn } from '#core/swarm/spread.ts';
import { vainTask, withoutBegunAnew } from '#core/swarm/stuck-update.ts';
import type { LiveService, LiveTask, SwarmStep, SwarmWorld } from '#core/swarm/world.ts';

/** A service that a workload is to have. */
export interface Kept extends KeptService {
  key: ResourceKey;
  /** Which of its workload's services it is, where that has several. */
  part: string;
  service: WantedService;
  /** What of the live service is not as wanted; empty where that is not told by fields. */
  drift: string[];
  /** Its update waits for it without end. */
  vain?: LiveTask;
  /** Volumes that are made before it. */
  volumes: SwarmStep[];
  /** Others come first. */
  waits: boolean;
  /** The node that its volumes are on: it runs nowhere else. */
  home?: string;
  /** The service whose tasks stand in while its own are changed. */
  beside: Beside;
  leaving?: Leaving;
}

interface Beside {
  /** Absent where none is to stand in. */
  wanted: ServiceSpec | undefined;
  live: LiveService | undefined;
  tasks: readonly LiveTask[];
  /** Whether its own are changed only once those are available. */
  isAwaited: boolean;
}

/** What the record of a workload says beside the resource. */
export interface Remembered {
  /** Hash of the service that was last updated to and has not served yet: from one that is new Swarm goes back to none. */
  tried?: string;
  /** Of a Job: the run that has completed. */
  done?: string;
  /** Of a Job: the run that has failed, and why. */
  failed?: { run: string; why: string };
  cron?: CronState;
  set?: SetState;
}

/** A resource that keeps pods, and the services that it needs for that: one, but of a StatefulSet and a CronJob. */
export interface Keeper {
  key: ResourceKey;
  kept: Kept[];
  /** What else is to be done. */
  steps: SwarmStep[];
  remembered: Remembered;
  status: ServiceStatus;
}

/** What services are kept in. */
export interface KeepScope {
  owner: OwnerKey;
  workloads: Workloads;
  world: SwarmWorld;
  now: number;
  place: SwarmPlace;
  seal: Seal;
  endpointMode: EndpointMode;
  /** Which service is spread over the servers anew. */
  turn: Turn | undefined;
}

export function keepService(
  workload: Workload,
  record: KeptService['record'],
  { owner, workloads, world, now, place, seal, endpointMode, turn }: KeepScope,
): Kept {
  const key = keeperOf(workload);
  const part = partOf(workload);
  const { networkId, nameServers } = world;
  const claims = claimsFor(workload, owner, world);
  const service = serviceOf(workload, owner, workloads, {
    place,
    seal,
    networkId,
    nameServers,
    endpointMode,
    ...(claims.node === undefined ? {} : { node: claims.node }),
  });
  const live = world.services.find(
    (each) => each.key === key && each.owner === owner && each.part === part,
  );
  const tasks = tasksOf(live, world);
  const other = world.services.find(
    (each) => each.key === surgeKey(workload) && each.owner === owner,
  );
  const beside = other === undefined ? undefined : tasksOf(other, world);
  const rollout = rolloutOf({ workload, spec: service.spec, place, live, tasks, beside, now });
  const vain = workload.job === undefined ? vainTask(live, tasks) : undefined;
  const isBound = live !== undefined || claims.steps.length === 0;
  const isTurn = turn?.owner === owner && turn.resource === key;
  function keep(wanted: ServiceSpec): Kept {
    // A job runs again whenever it is written: only another run of it is.
    const drift =
      workload.job === undefined ? differences(withoutBegunAnew(live?.spec), wanted) : [];
    const isSameRun = live?.run === wanted.Labels[MARK.run];
    const isAsWanted = live !== undefined && drift.length === 0 && isSameRun && vain === undefined;
    const isRolledBack =
      !isAsWanted &&
      record?.tried === contentHash(wanted) &&
      live?.update?.state.startsWith('rollback') === true;
    return {
      key,
      part,
      service: { ...service, spec: wanted },
      wanted,
      workload,
      live,
      record,
      drift,
      isAsWanted,
      isRolledBack,
      tasks,
      now,
      ...(vain === undefined ? {} : { vain }),
      volumes: claims.steps,
      waits:
        !claims.isPlaced || rollout.isHeld || (rollout.isBetween === true && vain === undefined),
      beside: {
        wanted: rollout.surge,
        live: other,
        tasks: beside ?? [],
        isAwaited: rollout.isHeld,
      },
      ...(claims.why === undefined ? {} : { hindered: claims.why }),
      ...(claims.node === undefined || !isBound ? {} : { home: claims.node }),
    };
  }

  const isPinned = claims.node !== undefined;
  const marked = keepingMark(rollout.spec, live);
  return (
    moveFirst(marked, live, { nodes: world.nodes, isPinned }, keep) ??
    spreadAnew(rollout.spec, live, isTurn ? turn : undefined, keep)
  );
}

/** The service that stands in, as one that is kept too; absent where none is to. */
export function standInOf(kept: Kept): Kept | undefined {
  const { wanted, live, tasks } = kept.beside;
  if (wanted === undefined || !('Replicated' in wanted.Mode)) return undefined;
  const replicas = wanted.Mode.Replicated.Replicas;
  const drift = differences(withoutBegunAnew(live?.spec), wanted);
  const { vain: _vain, ...others } = kept;
  return {
    ...others,
    key: surgeKey(kept.workload),
    workload: { ...kept.workload, spec: { ...kept.workload.spec, replicas } },
    service: { ...kept.service, spec: wanted },
    wanted,
    live,
    drift,
    isAsWanted: live !== undefined && drift.length === 0,
    isRolledBack: false,
    tasks,
    waits: false,
  };
}

function tasksOf(service: LiveService | undefined, { tasks }: SwarmWorld): LiveTask[] {
  return tasks.filter((task) => task.service === service?.id);
}

/** Whether Swarm is to be told something of it, sooner or later. */
export function isToWrite({
  isAsWanted,
  isRolledBack,
  live,
  record,
  wanted,
  workload,
}: Kept): boolean {
  if (workload.job === undefined) return !isAsWanted && !isRolledBack;
  const run = wanted.Labels[MARK.run];
  return live === undefined && record?.done !== run && record?.failed?.run !== run;
}

/** Whether now: it has its turn, and its volumes are there. */
export function isWritten(kept: Kept): boolean {
  return isToWrite(kept) && !kept.waits && kept.volumes.length === 0;
}

/** Of a workload that has one service. */
export function rememberedOf(kept: Kept): Remembered {
  const { record, wanted, live } = kept;
  const why = isCompleted(kept) ? undefined : whyFailed(kept);
  const run = wanted.Labels[MARK.run] ?? '';
  const failed = why === undefined ? record?.failed : { run, why };
  const done = isCompleted(kept) ? wanted.Labels[MARK.run] : record?.done;
  const tried = isToWrite(kept) ? contentHash(wanted) : record?.tried;
  const isOver =
    live === undefined || kept.workload.job !== undefined || (!isToWrite(kept) && isServing(kept));
  return {
    ...(tried === undefined || isOver ? {} : { tried }),
    ...(done === undefined ? {} : { done }),
    ...(failed === undefined ? {} : { failed }),
  };
}
