import type { OwnerStatus, PodStatus, ResourceStatus } from '#core/engine.ts';
import type { HookDecision, HookTarget } from '#core/kubernetes/hooks.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import type { Change } from '#core/plan/change.ts';

/** How a hook is that has not ended, with its pods. */
export interface HookStatus {
  seen: Seen | undefined;
  pods: readonly KeptPod[];
}

/** As a hook is judged: a pod that is ready has not ended. */
export function seenAsHook(seen: Seen): Seen {
  if (seen.isRunning !== true) return seen;
  const reason = 'runs: it has ended once its pod has succeeded';
  return { ...seen, health: { status: 'Progressing', reason }, summary: 'runs' };
}

export function hookChange({ key, hook }: HookTarget): Change {
  return { action: 'create', key, fields: [], reason: `hook, ${hook.phase}` };
}

/** With what is still to run for the release: until then it does not serve, and a failure is told after what runs for it. */
export function withHooks(
  status: OwnerStatus,
  { pending, failure, isFailing }: HookDecision,
  statusOf: (hook: HookTarget) => HookStatus,
  showPod: (pod: KeptPod) => PodStatus,
): OwnerStatus {
  const { failure: before, ...others } = status;
  const told = isFailing ? undefined : (failure ?? before);
  return {
    ...others,
    plan: [...pending.map(hookChange), ...status.plan],
    resources: [
      ...pending.map((hook) => resourceStatus(hook, statusOf(hook), showPod)),
      ...status.resources,
    ],
    serving: status.serving && pending.length === 0 && failure === undefined,
    ...(told === undefined ? {} : { failure: told }),
  };
}

function resourceStatus(
  { key, hook }: HookTarget,
  { seen, pods }: HookStatus,
  showPod: (pod: KeptPod) => PodStatus,
): ResourceStatus {
  const summary = `hook, ${hook.phase}`;
  if (seen === undefined)
    return { key, health: { status: 'Progressing', reason: 'its turn has not come' }, summary };
  const shown = pods.length === 0 ? {} : { pods: pods.map(showPod) };
  return { key, health: seen.health, summary: `${summary}: ${seen.summary}`, ...shown };
}
