import { messageOf } from '#core/errors.ts';
import type { RunStore } from '#core/ports.ts';
import type { RunEvent } from '#core/run/events.ts';
import type { RunLog } from './run-log.ts';

type OnLine = (line: string) => void;

interface Done<T> {
  value: T;
  /** What the step produced, for displays. */
  detail?: string;
}

/** Does `work` as a step of the run: recorded when it begins and ends, its failure told in its log. */
export type DoStep = <T>(
  name: string,
  work: (onLine: OnLine) => Promise<Done<T>>,
  /** What to record at its end where that is more than the step's success. */
  end?: (at: number) => RunEvent,
) => Promise<T>;

export function createSteps(
  runs: Pick<RunStore, 'apply'>,
  runId: string,
  log: RunLog,
  now: () => number,
  signal: AbortSignal,
): DoStep {
  return async function doStep(step, work, end) {
    await runs.apply(runId, { kind: 'step', step, state: 'running', at: now() });
    try {
      const { value, detail } = await work((line) => log.write(step, line));
      await log.flush();
      const note = detail === undefined ? {} : { detail };
      await runs.apply(
        runId,
        end?.(now()) ?? { kind: 'step', step, state: 'succeeded', at: now(), ...note },
      );
      return value;
    } catch (error) {
      // What ends a run early is told by whoever ends it.
      signal.throwIfAborted();
      for (const line of messageOf(error).split('\n')) log.write(step, line);
      await log.flush();
      throw error;
    }
  };
}
