import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import { isUnhealthy, needsProbes } from '#core/swarm/health-check.ts';
import { connectionProblem } from '../docker/http-probe.ts';
import type { SwarmContext } from './context.ts';
import type { ListedTask } from './listed.ts';

/** Of a task that Swarm ended because of its liveness probe it tells no more than that: what its server knows of it. */
export interface LivenessReasons {
  /**
   * What the probe found last, of each task that is known. Asks beside the pass, each task once; what tasks are not among
   * these any more is forgotten.
   */
  reasonsOf(
    tasks: readonly ListedTask[],
    /** Of a node by its id; absent where it is not reached. */
    dockerOf: (node: string) => Docker | undefined,
  ): ReadonlyMap<string, string>;
  close(): void;
}

interface Result {
  ExitCode: number;
  Output: string;
}

interface Inspected {
  State: { Health?: { Log: Result[] | null } };
}

const LONGEST_ANSWER = 200;
/** What `nc -vv` of BusyBox tells beside. */
const CHATTER = /^\S+ \(\S+\) open$|^sent \d+, rcvd \d+$/;

export function createLivenessReasons(
  { log, cluster }: Pick<SwarmContext, 'log' | 'cluster'>,
  onChange: (what: string) => void,
): LivenessReasons {
  const asked = new Map<string, string | undefined>();
  const closing = new AbortController();

  async function ask(docker: Docker, { ID, Status, Spec }: ListedTask): Promise<void> {
    const path = `/containers/${Status.ContainerStatus?.ContainerID}/json`;
    try {
      const { signal } = closing;
      const { State } = await callDocker<Inspected>(docker, { method: 'GET', path, signal });
      const last = State.Health?.Log?.at(-1);
      if (last === undefined || !asked.has(ID)) return;
      asked.set(ID, reasonIn(last, Spec));
      onChange('liveness probe');
    } catch (error) {
      if (closing.signal.aborted) return;
      // It is gone, or its server: the exit code is told.
      log.debug({ cluster, task: ID, reason: messageOf(error) }, 'a task tells no reason');
    }
  }

  return {
    reasonsOf(tasks, dockerOf) {
      const ended = tasks.filter(({ Status }) => isUnhealthy(Status.Err ?? ''));
      const ids = new Set(ended.map(({ ID }) => ID));
      for (const id of asked.keys()) if (!ids.has(id)) asked.delete(id);
      for (const task of ended) {
        const docker = asked.has(task.ID) ? undefined : dockerOf(task.NodeID ?? '');
        if (docker === undefined) continue;
        asked.set(task.ID, undefined);
        void ask(docker, task);
      }
      return new Map(
        [...asked].flatMap(([id, reason]) => (reason === undefined ? [] : [[id, reason]])),
      );
    },
    close: () => closing.abort(),
  };
}

/** In the words of the docker engine. */
function reasonIn({ ExitCode, Output }: Result, task: ListedTask['Spec']): string {
  // It was not run to its end: Docker tells why.
  const isOwn = ExitCode < 0 || needsProbes({ TaskTemplate: task });
  const lines = Output.split('\n').filter((line) => !(isOwn && CHATTER.test(line)));
  const text = lines.join(' ').replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_ANSWER);
  if (isOwn) return text.startsWith('nc: ') ? connectionProblem(text) : text;
  return `exit code ${ExitCode}${text === '' ? '' : `: ${text}`}`;
}
