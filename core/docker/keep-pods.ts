import type { Workload } from '#core/docker/workload.ts';
import type { CronState } from '#core/docker/cron-state.ts';
import { isEvicted, withoutEvicted } from '#core/docker/eviction.ts';
import type { HostPortClaims } from '#core/docker/host-ports.ts';
import { turnOf } from '#core/docker/init.ts';
import { keeperOf, podSpec } from '#core/docker/pod-spec.ts';
import type { JobState } from '#core/docker/job-state.ts';
import { pullSecretWarning } from '#core/docker/pull-secrets.ts';
import { deadlineOf, endOf } from '#core/docker/pod-phase.ts';
import type { PodEnd } from '#core/docker/pod-phase.ts';
import { isCrashLooping, isHeldBack, isReady, unreadyReason } from '#core/docker/readiness.ts';
import type { SetState } from '#core/docker/set-state.ts';
import { nextStep, progressedAt } from '#core/docker/rollout.ts';
import type { RolloutStep } from '#core/docker/rollout.ts';
import type { LiveContainer, LivePod, PodSpec, Step } from '#core/docker/world.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** How one workload stands and what its pods need. */
export interface KeptPods {
  /** Of a Job: what is to be remembered of its run. */
  job?: JobState;
  /** Of a StatefulSet: what is under way. */
  set?: SetState;
  /** Of a CronJob: what is to be remembered of its Jobs. */
  cron?: CronState;
  /** In place of how many are ready. */
  summary?: string;
  key: ResourceKey;
  pods: LivePod[];
  /** Specs of the pods of the current template, by name. */
  specs: Map<string, PodSpec>;
  /** In order, none of which takes a pod away. */
  steps: Step[];
  /** To be deleted once no traffic goes to them. */
  leaving: LivePod[];
  /** What the steps do, for a person; empty when nothing is to be done. */
  why: string[];
  complete: boolean;
  /** Why a pod is not made yet. */
  pending?: string;
  /** What may be wrong with it; it goes on all the same. */
  warning?: string;
  /** Of a pod that is at its end. */
  end?: PodEnd;
  /** Set when it will not get there by itself. */
  failure?: string;
  /** What is wrong with it, though it is as it was to be. */
  degraded?: string;
  wakeAt?: number;
}

export interface Kept {
  workload: Workload;
  owner: OwnerKey;
  workloads: Workloads;
  pods: readonly LivePod[];
  claims: HostPortClaims;
  /** When this version was recorded (ms): the rollout's clock begins there. */
  recordedAt: number;
  now: number;
}

/** What the pods of a workload need: repairs, files, and the next step of its rollout. */
export function keepPods(kept: Kept): KeptPods {
  const { workload, owner, workloads, now } = kept;
  const rollout = nextStep(workload, withoutEvicted(ownPods(kept), now), now);
  return keepRolledOut(kept, rollout, (name) => podSpec(workload, name, owner, workloads));
}

export function ownPods({ workload, owner, pods }: Kept): LivePod[] {
  const key = keeperOf(workload);
  return pods.filter((pod) => pod.keeper === key && pod.owner === owner);
}

/** The same where it is known already what comes next, and how the pod of a name is to be. */
export function keepRolledOut(
  kept: Kept,
  rollout: RolloutStep,
  specOf: (name: string) => PodSpec,
): KeptPods {
  const { workload, workloads, claims, recordedAt, now } = kept;
  const key = keeperOf(workload);
  const own = ownPods(kept);
  const pods = withoutEvicted(own, now);
  const evicted = own.filter(isEvicted);
  const leaving = new Set(rollout.remove.map(({ name }) => name));
  const specs = new Map(
    pods
      .filter((pod) => pod.deletingSince === undefined && !leaving.has(pod.name))
      .map((pod) => [pod, specOf(pod.name)] as const)
      .filter(([pod, { templateHash: hash }]) => pod.templateHash === hash)
      .map(([pod, spec]) => [pod.name, spec]),
  );
  const staying = pods.filter((pod) => specs.has(pod.name));
  const care = staying.map((pod) => careFor(pod, specs.get(pod.name), now));
  const [end] = care.flatMap((each) => each.end ?? []);
  const wanted = rollout.create.map((name) => {
    const pod = specOf(name);
    return { pod, pending: claims.claim(pod, pod.hostPorts) };
  });
  const pending = wanted.find((each) => each.pending !== undefined)?.pending;
  const create = wanted
    .filter((each) => each.pending === undefined)
    .map(({ pod }): Step => ({ kind: 'createPod', pod, run: turnOf(pod).run }));
  const { paused } = workload.spec;
  const warning = pullSecretWarning(workload, workloads);
  const complete = isFinite(workload)
    ? end?.phase === 'Succeeded'
    : rollout.complete && end === undefined;
  const failure =
    complete || paused
      ? undefined
      : failureOf({ workload, pods: staying, end, pending, recordedAt }, now);
  const deadline =
    progressedAt(workload, pods, recordedAt) + workload.spec.progressDeadlineSeconds * 1_000;
  const wakes = [
    rollout.wakeAt,
    ...care.map(({ wakeAt }) => wakeAt),
    complete || paused || deadline <= now ? undefined : deadline,
  ];
  return {
    key,
    pods,
    specs,
    steps: [...care.flatMap(({ steps }) => steps), ...create],
    leaving: [...rollout.remove, ...evicted],
    why: [
      ...care.flatMap(({ why }) => why),
      ...create.map((step) => `create pod ${step.kind === 'createPod' ? step.pod.name : ''}`),
      ...rollout.remove.map(({ name }) => `remove pod ${name}`),
      ...evicted.map((pod) => `evict pod ${pod.name}: ${pod.evicted}`),
    ],
    complete,
    ...(end === undefined ? {} : { end }),
    ...(pending === undefined ? {} : { pending }),
    ...(warning === undefined ? {} : { warning }),
    ...(failure === undefined ? {} : { failure: [failure, warning ?? []].flat().join('; ') }),
    ...earliest(wakes),
  };
}

/** Whether it is there to come to an end. */
function isFinite({ spec: { template } }: Workload): boolean {
  return template.spec.restartPolicy !== 'Always';
}

interface Care {
  end?: PodEnd;
  steps: Step[];
  why: string[];
  wakeAt?: number;
}

/** Puts right what is wrong with a pod that stays. */
export function careFor(pod: LivePod, spec: PodSpec | undefined, now: number): Care {
  if (spec === undefined) return { steps: [], why: [] };
  const end = endOf(pod, spec, now);
  if (end !== undefined) return { end, ...endCare(pod, spec, end) };
  const cut = cutOff(pod, spec);
  if (cut !== undefined) return cut;
  const deadline = deadlineOf(pod, spec);
  const care = careWhileRunning(pod, spec, now);
  return { ...care, ...earliest([care.wakeAt, deadline]) };
}

/** What still runs of a pod that is at its end: sidecars, or all that its deadline met. */
function endCare(pod: LivePod, spec: PodSpec, { phase, reason }: PodEnd): Care {
  const left = Object.values(pod.containers).filter(({ state }) => UP.has(state));
  return endCareOf(pod, spec, left, reason ?? `it has ${phase.toLowerCase()}`);
}

/** Of a pod that is never started again: those that its sandbox was restarted under. */
function cutOff(pod: LivePod, spec: PodSpec): Care | undefined {
  if (spec.restartPolicy !== 'Never') return undefined;
  const left = Object.values(pod.containers).filter(
    ({ state, joined, init }) => state === 'running' && !joined && init?.sidecar !== true,
  );
  return left.length === 0 ? undefined : endCareOf(pod, spec, left, "it lost the pod's network");
}

function endCareOf(
  pod: LivePod,
  { graceSeconds }: PodSpec,
  left: readonly LiveContainer[],
  why: string,
): Care {
  if (left.length === 0) return { steps: [], why: [] };
  const containers = left.map(({ id, init }) => ({ id, ...(init === undefined ? {} : { init }) }));
  const { name, namespace } = pod;
  return {
    steps: [{ kind: 'endPod', pod: name, namespace, containers, graceSeconds, why }],
    why: [`end what runs of pod ${name}: ${why}`],
  };
}

function careWhileRunning(pod: LivePod, spec: PodSpec, now: number): Care {
  const { run, anew, initialising } = turnOf(spec, pod);
  const wrong = anew ? 'its sandbox is another' : wrongWith(pod, spec, run, now);
  const waits = Object.values(pod.containers).map(({ restartAt }) => restartAt);
  const wakeAt = earliest(waits.filter((at) => at !== undefined && at > now));
  if (wrong !== undefined) {
    if (pod.problem !== undefined && pod.problem.retryAt > now)
      return { steps: [], why: [], wakeAt: pod.problem.retryAt };
    // The next of its init containers is no repair.
    const goesOn = initialising && !anew && run.some((name) => pod.containers[name] === undefined);
    return {
      steps: [{ kind: 'repairPod', pod: spec, run, why: wrong, ...(anew ? { anew } : {}) }],
      why: goesOn ? [] : [`pod ${pod.name}: ${wrong}`],
    };
  }
  const files = spec.volumes.flatMap((volume): Step[] =>
    volume.kind === 'files' && pod.volumeHashes[volume.name] !== volume.hash
      ? [
          {
            kind: 'writeVolume',
            pod: pod.name,
            namespace: pod.namespace,
            volume: volume.name,
            files: volume.files,
            hash: volume.hash,
          },
        ]
      : [],
  );
  const restarts = [...unhealthy(pod, spec), ...unbegun(pod, spec)];
  return {
    steps: [...files, ...restarts],
    why: [
      ...files.map(() => `pod ${pod.name}: files of a volume differ`),
      ...restarts.map(({ container, why }) => `pod ${pod.name}: container ${container}: ${why}`),
    ],
    ...wakeAt,
  };
}

/** Containers that a startup or liveness probe gave up on. */
function unhealthy(pod: LivePod, spec: PodSpec): Extract<Step, { kind: 'restartContainer' }>[] {
  return Object.entries(pod.probes).flatMap(([container, { failed }]) => {
    const id = pod.containers[container]?.id;
    if (failed === undefined || id === undefined) return [];
    return [
      {
        kind: 'restartContainer',
        pod: pod.name,
        namespace: pod.namespace,
        container,
        id,
        graceSeconds: failed.graceSeconds ?? spec.graceSeconds,
        why: `${failed.probe} probe failed: ${failed.answer}`,
      },
    ];
  });
}

/** Containers whose postStart hook failed. */
function unbegun(pod: LivePod, spec: PodSpec): Extract<Step, { kind: 'restartContainer' }>[] {
  return Object.entries(pod.containers).flatMap(([container, { id, state, postStart }]) => {
    if (state !== 'running' || postStart?.state !== 'failed') return [];
    return [
      {
        kind: 'restartContainer',
        pod: pod.name,
        namespace: pod.namespace,
        container,
        id,
        graceSeconds: spec.graceSeconds,
        why: postStart.answer,
      },
    ];
  });
}

/** What was altered, stopped or taken away; absent where the pod is as it was made (or Docker restarts it itself). */
function wrongWith(
  pod: LivePod,
  spec: PodSpec,
  run: readonly string[],
  now: number,
): string | undefined {
  if (pod.sandbox.state !== 'running') return `its sandbox is ${pod.sandbox.state}`;
  if (pod.sandbox.drift.length > 0) return pod.sandbox.drift.join(', ');
  for (const name of run) {
    const container = pod.containers[name];
    if (container === undefined) return `container ${name} is missing`;
    if (container.drift.length > 0) return `container ${name}: ${container.drift.join(', ')}`;
    if (container.state === 'restarting' || isHeldBack(container, now)) continue;
    if (container.state !== 'running') return `container ${name} is ${container.state}`;
    if (!container.joined) return `container ${name} lost the pod's network`;
  }
  for (const { kind, name } of spec.volumes) {
    if (kind === 'files' && pod.volumeHashes[name] === undefined)
      return `volume ${name} lost its files`;
  }
  return undefined;
}

const UP = new Set<LiveContainer['state']>(['running', 'paused', 'restarting']);

const PULL_GIVEN_UP = ['ImagePullBackOff', 'ErrImageNeverPull'];

export function isGivenUp({ problem }: LivePod): boolean {
  return PULL_GIVEN_UP.includes(problem?.reason ?? '');
}

interface Standing {
  workload: Workload;
  pods: readonly LivePod[];
  end: PodEnd | undefined;
  pending: string | undefined;
  recordedAt: number;
}

function failureOf(
  { workload, pods, end, pending, recordedAt }: Standing,
  now: number,
): string | undefined {
  if (end !== undefined) return pods.map((pod) => endReason(pod, end, workload, now))[0];
  const unready = pods.filter((pod) => !isReady(pod));
  const hopeless = unready.find(
    (pod) =>
      isGivenUp(pod) ||
      Object.values(pod.containers).some((container) => isCrashLooping(container, now)),
  );
  if (hopeless !== undefined) return unreadyReason(hopeless, now);
  // It works, and says itself when it is done.
  if (isFinite(workload) && pods.some(isWorking)) return undefined;
  const { progressDeadlineSeconds } = workload.spec;
  if (now < progressedAt(workload, pods, recordedAt) + progressDeadlineSeconds * 1_000)
    return undefined;
  const [first] = unready;
  const reason =
    first === undefined ? (pending ?? 'its pods are not available yet') : unreadyReason(first, now);
  return `no progress for ${progressDeadlineSeconds} s: ${reason}`;
}

function isWorking({ containers }: LivePod): boolean {
  return Object.values(containers).some(
    ({ init, state }) => init === undefined && state === 'running',
  );
}

function endReason(pod: LivePod, { reason }: PodEnd, { spec }: Workload, now: number): string {
  if (reason === undefined) return unreadyReason(pod, now);
  const seconds = spec.template.spec.activeDeadlineSeconds;
  return `pod ${pod.name}: ${reason}: it was active for longer than ${seconds} s`;
}

/** The earliest of some times, absent ones left out. */
export function earliest(times: readonly (number | undefined)[]): { wakeAt?: number } {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? {} : { wakeAt: Math.min(...known) };
}
