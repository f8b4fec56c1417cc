import type { ContainerStatus } from '#core/engine.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';

/** A container that has ended badly, and which of its logs tells why. */
export interface BadEnd {
  container: string;
  restarts: number;
  /** Another of it has been started since. */
  previous: boolean;
}

export function badEndsOf({ containers }: KeptPod): BadEnd[] {
  return containers.flatMap(({ name, restarts, state, exitCode = 0, last }): BadEnd[] => {
    if (state === 'terminated' && exitCode !== 0)
      return [{ container: name, restarts, previous: false }];
    if (state === 'terminated' || last === undefined || last.exitCode === 0) return [];
    return [{ container: name, restarts, previous: true }];
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
