import { DockerError } from '#adapters/docker/call.ts';
import type { DockerEvent } from '#adapters/docker/events.ts';
import { tailLogs } from '#adapters/docker/logs.ts';
import { labelsOf } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import type { LastWordFiles } from './last-word-files.ts';
import { LABEL } from './marks.ts';

const LINES = 10;
/** What the kubelet takes of logs that stand for a termination message. */
const MESSAGE_LINES = 80;
const MESSAGE_BYTES = 2_048;

interface Death {
  exitCode: number;
  oomKilled: boolean;
}

/** How a container last ended. */
interface Ending extends Death {
  lastLog: string[];
  /** Its termination message; absent where it left none. */
  lastWords?: string;
}

/** Remembers how containers ended: Docker forgets the exit code once it has restarted one. */
export interface Endings {
  onEvent(event: DockerEvent): void;
  /** Absent for a container that never ended. */
  of(container: InspectedContainer, signal: AbortSignal): Promise<Ending | undefined>;
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createEndings(context: DockerContext, files: LastWordFiles): Endings {
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
    async of(container, signal) {
      const { Id, State, RestartCount } = container;
      const before = known.get(Id);
      const runs = State.Status === 'running';
      if (State.Status === 'created' || (runs && RestartCount === 0 && !deaths.has(Id)))
        return before;
      const at = `${State.FinishedAt} ${RestartCount}`;
      if (before?.at === at) return before;
      const death = howItEnded(State, deaths.get(Id) ?? before);
      // Whoever starts it again waits for this.
      const [lastLog, left] = await Promise.all([
        lastLines(context, Id, LINES, signal),
        files.read(container, signal),
      ]);
      const lastWords =
        left === '' && isLogMessage(container, death)
          ? endOf(await lastLines(context, Id, MESSAGE_LINES, signal))
          : left;
      const ending = { ...death, lastLog, at, ...(lastWords === '' ? {} : { lastWords }) };
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

function isLogMessage(container: InspectedContainer, { exitCode }: Death): boolean {
  return exitCode !== 0 && labelsOf(container)[LABEL.orLogs] !== undefined;
}

function endOf(lines: readonly string[]): string {
  return Buffer.from(lines.join('\n')).subarray(-MESSAGE_BYTES).toString();
}

/** Of a container that is being removed meanwhile there are none. */
async function lastLines(
  context: DockerContext,
  id: string,
  lines: number,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await tailLogs(context.docker, id, { lines }, signal);
  } catch (error) {
    if (error instanceof DockerError) return [];
    throw error;
  }
}
