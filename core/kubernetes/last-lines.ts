import type { ContainerStatus } from '#core/engine.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';

/** A container that has ended badly, and which of its logs tells why. */
export interface BadEnd {
  container: string;
  /** How many were started before the one that ended. */
  run: number;
  /** It is told as the one before: another has been started since, or is to be. */
  previous: boolean;
}

export function badEndsOf({ containers }: KeptPod): BadEnd[] {
  return containers.flatMap(({ name, restarts, state, exitCode = 0, last }): BadEnd[] => {
    if (state === 'terminated' && exitCode !== 0)
      return [{ container: name, run: restarts, previous: false }];
    if (state === 'terminated' || last === undefined || last.exitCode === 0) return [];
    // One that waits to be started again is not counted yet.
    const run = state === 'running' ? restarts - 1 : restarts;
    return [{ container: name, run, previous: true }];
  });
}

/** The pod with what its containers wrote last, where they left no message and ended badly. */
export function withLastLines(
  pod: KeptPod,
  linesOf: (end: BadEnd) => readonly string[] | undefined,
): KeptPod {
  const ends = badEndsOf(pod);
  if (ends.length === 0) return pod;
  return {
    ...pod,
    containers: pod.containers.map((container) => {
      const end = ends.find((each) => each.container === container.name);
      const lines = end === undefined ? [] : (linesOf(end) ?? []);
      return lines.length === 0 ? container : withText(container, lines.join('\n'));
    }),
  };
}

function withText(container: ContainerStatus, text: string): ContainerStatus {
  const { state, message, last } = container;
  if (state === 'terminated')
    return message === undefined ? { ...container, message: text } : container;
  if (last === undefined || last.message !== undefined) return container;
  return { ...container, last: { ...last, message: text } };
}
