import { DockerError } from '#adapters/docker/call.ts';
import type { DockerEvent } from '#adapters/docker/events.ts';
import { tailLogs } from '#adapters/docker/logs.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';

const LINES = 10;

interface Death {
  exitCode: number;
  oomKilled: boolean;
}

/** How a container last ended. */
interface Ending extends Death {
  lastLog: string[];
}

/** Remembers how containers ended: Docker forgets the exit code once it has restarted one. */
export interface Endings {
  onEvent(event: DockerEvent): void;
  /** Absent for a container that never ended. */
  of(container: InspectedContainer, signal: AbortSignal): Promise<Ending | undefined>;
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createEndings(context: DockerContext): Endings {
  const known = new Map<string, Ending & { at: string }>();
  const deaths = new Map<string, Death>();
  const outOfMemory = new Set<string>();
  return {
    onEvent({ Action, Actor: { ID: id, Attributes } }) {
      if (Action === 'oom') outOfMemory.add(id);
      if (Action !== 'die') return;
      deaths.set(id, {
        exitCode: Number(Attributes['exitCode'] ?? 0),
        oomKilled: outOfMemory.delete(id),
      });
      // It may have been looked at before Docker told of its end.
      const before = known.get(id);
      if (before !== undefined) known.set(id, { ...before, at: '' });
    },
    async of({ Id, State, RestartCount }, signal) {
      const before = known.get(Id);
      const runs = State.Status === 'running';
      if (State.Status === 'created' || (runs && RestartCount === 0 && !deaths.has(Id)))
        return before;
      const at = `${State.FinishedAt} ${RestartCount}`;
      if (before?.at === at) return before;
      const death = howItEnded(State, deaths.get(Id) ?? before);
      const ending = { ...death, lastLog: await lastLines(context, Id, signal), at };
      known.set(Id, ending);
      return ending;
    },
    keepOnly(ids) {
      for (const map of [known, deaths, outOfMemory])
        for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    },
  };
}

/** Of one that runs again Docker knows no exit code any more: it is as Docker told of its end. */
export function howItEnded(
  { Status, ExitCode: exitCode, OOMKilled: oomKilled }: InspectedContainer['State'],
  told: Death | undefined,
): Death {
  if (Status !== 'running' || told === undefined) return { exitCode, oomKilled };
  return { exitCode: told.exitCode, oomKilled: told.oomKilled };
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
