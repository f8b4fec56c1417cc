import type { ContainerSpec, PodProblem } from '#core/docker/world.ts';
import type { Images } from './images.ts';
import { dueAt } from './noted-times.ts';

const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;
/** A pod that is still wanted was tried again by then. */
const FORGOTTEN_AFTER_MS = 2 * LONGEST_RETRY_MS;

/** Why containers of pods could not be made. In memory: after a restart of the worker they are tried again. */
export interface Problems {
  of(pod: string): PodProblem | undefined;
  /** An image is missing; how that stands is asked of the pull itself. */
  lacksImage(pod: string, container: ContainerSpec, problem: PodProblem): void;
  /** Docker refused to create or start it, or it mounts what is not as it should be. */
  failed(pod: string, container: string, message: string, reason?: PodProblem['reason']): void;
  isTooEarly(pod: string): boolean;
  clear(pod: string): void;
}

interface Failure {
  problem: PodProblem;
  attempts: number;
  /** Set when it waits for an image. */
  waits?: ContainerSpec;
}

export function createProblems(images: Images): Problems {
  const byPod = new Map<string, Failure>();

  function found(failure: Failure | undefined): PodProblem | undefined {
    if (failure?.waits === undefined) return failure?.problem;
    if (failure.problem.reason === 'ErrImageNeverPull') return failure.problem;
    return images.problemOf(failure.waits);
  }

  function of(pod: string): PodProblem | undefined {
    const problem = found(byPod.get(pod));
    if (problem === undefined) return undefined;
    return { ...problem, retryAt: dueAt(problem.retryAt, LONGEST_RETRY_MS, Date.now()) };
  }

  function keep(pod: string, failure: Failure): void {
    byPod.set(pod, failure);
    const oldest = Date.now() - FORGOTTEN_AFTER_MS;
    for (const [other, { problem }] of byPod) if (problem.retryAt < oldest) byPod.delete(other);
  }

  return {
    of,
    lacksImage(pod, container, problem) {
      keep(pod, { problem, attempts: 0, waits: container });
    },
    failed(pod, container, message, reason = 'CreateContainerError') {
      const attempts = (byPod.get(pod)?.attempts ?? 0) + 1;
      const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1));
      const problem: PodProblem = {
        container,
        reason,
        message,
        retryAt: Date.now() + delayMs,
      };
      keep(pod, { problem, attempts });
    },
    isTooEarly(pod) {
      const problem = of(pod);
      return problem !== undefined && problem.retryAt > Date.now();
    },
    clear(pod) {
      byPod.delete(pod);
    },
  };
}
