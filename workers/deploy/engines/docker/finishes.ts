import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { endContainers } from './end-containers.ts';
import type { Leaving } from './end-containers.ts';
import type { Hooks } from './hooks.ts';

interface Finish {
  containers: readonly Leaving[];
  graceSeconds: number;
}

/** Stops containers of pods that are at their end, beside the passes; what is stopped stays, with its logs. */
export interface Finishes {
  /** False where that is under way already. */
  begin(pod: string, finish: Finish): boolean;
  close(): Promise<void>;
}

export function createFinishes(
  context: DockerContext,
  hooks: Hooks,
  onChange: (what: string) => void,
): Finishes {
  const running = new Map<string, Promise<void>>();
  const closing = new AbortController();

  async function run(pod: string, { containers, graceSeconds }: Finish): Promise<void> {
    try {
      const ending = { graceSeconds, reason: 'end', keep: true } as const;
      await endContainers(context, hooks, containers, ending, closing.signal);
    } catch (error) {
      if (!closing.signal.aborted)
        context.log.warn(
          { cluster: context.cluster, pod, reason: messageOf(error) },
          'what is left of a pod could not be ended; it is tried again',
        );
    } finally {
      running.delete(pod);
      onChange(`pod ${pod} came to its end`);
    }
  }

  return {
    begin(pod, finish) {
      if (running.has(pod) || closing.signal.aborted) return false;
      running.set(pod, run(pod, finish));
      return true;
    },
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await Promise.all(running.values());
    },
  };
}
