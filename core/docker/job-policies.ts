import { rangesOf, sizeOf } from '#core/docker/kinds-job.ts';
import type { FailureRule, SuccessRule } from '#core/docker/kinds-job.ts';
import type { LiveContainer, LivePod } from '#core/docker/world.ts';

/** What a pod's failure means for its Job. */
export interface FailureVerdict {
  action: FailureRule['action'];
  /** Why, in the words of Kubernetes. */
  message: string;
}

/** By the first rule that is about it; without one it counts. */
export function verdictOf(rules: readonly FailureRule[], pod: LivePod): FailureVerdict {
  for (const [index, rule] of rules.entries()) {
    const why = matchOf(rule, pod);
    if (why === undefined) continue;
    const { action } = rule;
    return { action, message: `${why} matching ${action} rule at index ${index}` };
  }
  return { action: 'Count', message: '' };
}

function matchOf(
  { onExitCodes: asked, onPodConditions }: FailureRule,
  pod: LivePod,
): string | undefined {
  const failed = failedContainers(pod);
  if (asked === undefined)
    return onPodConditions !== undefined && isDisrupted(pod, failed)
      ? `pod ${pod.name} has condition DisruptionTarget`
      : undefined;
  const found = failed.find(
    ([name, { exitCode }]) =>
      (asked.containerName ?? name) === name &&
      asked.values.includes(exitCode) === (asked.operator === 'In'),
  );
  if (found === undefined) return undefined;
  const [name, { exitCode }] = found;
  return `container ${name} of pod ${pod.name} failed with exit code ${exitCode}`;
}

function failedContainers({ containers }: LivePod): [string, LiveContainer][] {
  return Object.entries(containers).filter(
    ([, { state, exitCode }]) => state === 'exited' && exitCode !== 0,
  );
}

/** Docker asks all containers to end at once, and gives each so long: one that ended sooner had failed by itself. */
export const SHUTDOWN_MS = 10_000;

/** Docker or the host went down under it, which alone ends a sandbox. */
function isDisrupted({ sandbox }: LivePod, failed: readonly [string, LiveContainer][]): boolean {
  const isDown = sandbox.state !== 'running' || failed.some(([, { joined }]) => !joined);
  // Docker still tells when it ended last once it has started it again.
  return isDown && failed.every(([, each]) => each.finishedAt >= sandbox.finishedAt - SHUTDOWN_MS);
}

/** Whether so much has succeeded that the rest need not. */
export function isSuccess(rules: readonly SuccessRule[], succeeded: readonly number[]): boolean {
  return rules.some(({ succeededIndexes, succeededCount }) => {
    const named = succeededIndexes === undefined ? undefined : rangesOf(succeededIndexes);
    const count = succeeded.filter(
      (index) => named?.some(([first, last]) => first <= index && index <= last) ?? true,
    ).length;
    return count >= (succeededCount ?? (named === undefined ? Infinity : sizeOf(named)));
  });
}
