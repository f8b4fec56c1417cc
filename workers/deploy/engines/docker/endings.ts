import { DockerError } from '#adapters/docker/call.ts';
import { tailLogs } from '#adapters/docker/logs.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';

const LINES = 10;

/** How a container last ended. */
interface Ending {
  exitCode: number;
  oomKilled: boolean;
  lastLog: string[];
}

/** Remembers how containers ended: Docker forgets the exit code once it has restarted one. */
export interface Endings {
  /** Absent for a container that never ended. */
  of(container: InspectedContainer, signal: AbortSignal): Promise<Ending | undefined>;
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createEndings(context: DockerContext): Endings {
  const known = new Map<string, Ending & { at: string }>();
  return {
    async of({ Id, State, RestartCount }, signal) {
      const before = known.get(Id);
      if (State.Status === 'created' || (State.Status === 'running' && RestartCount === 0))
        return before;
      const at = `${State.FinishedAt} ${RestartCount}`;
      if (before?.at === at) return before;
      const ended =
        State.Status === 'running'
          ? before
          : { exitCode: State.ExitCode, oomKilled: State.OOMKilled };
      const lastLog = await lastLines(context, Id, signal);
      const ending = {
        exitCode: ended?.exitCode ?? State.ExitCode,
        oomKilled: ended?.oomKilled ?? State.OOMKilled,
        lastLog,
        at,
      };
      known.set(Id, ending);
      return ending;
    },
    keepOnly(ids) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    },
  };
}

/** Of a container that is being removed meanwhile there are none. */
async function lastLines(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await tailLogs(context.docker, id, { lines: LINES }, signal);
  } catch (error) {
    if (error instanceof DockerError) return [];
    throw error;
  }
}
