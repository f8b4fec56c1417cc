import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import {
  hasStartup,
  isUnhealthy,
  needsProbes,
  STARTUP_SAYS,
  toldBy,
} from '#core/swarm/health-check.ts';
import type { CheckResult } from '#core/swarm/health-check.ts';
import type { LiveTask } from '#core/swarm/world.ts';
import { connectionProblem } from '../docker/http-probe.ts';
import type { SwarmContext } from './context.ts';
import type { ListedTask } from './listed.ts';

type Found = NonNullable<LiveTask['probed']>;

/**
 * Of a task that Swarm ended because of its health check, or that waits for its startup probe, it tells no more than that: what
 * its server knows of it.
 */
export interface ProbeReasons {
  /**
   * What the probe found last, of each task that is known. Asks beside the pass: each task that ended once, and those that wait
   * each time. What tasks are not among these any more is forgotten.
   */
  reasonsOf(
    tasks: readonly ListedTask[],
    /** Of a node by its id; absent where it is not reached. */
    dockerOf: (node: string) => Docker | undefined,
  ): ReadonlyMap<string, Found>;
  close(): void;
}

interface Inspected {
  State: { Health?: { Log: CheckResult[] | null } };
}

const LONGEST_ANSWER = 200;
/** What `nc -vv` of BusyBox tells beside. */
const CHATTER = /^\S+ \(\S+\) open$|^sent \d+, rcvd \d+$/;

export function createProbeReasons(
  { log, cluster }: Pick<SwarmContext, 'log' | 'cluster'>,
  onChange: (what: string) => void,
): ProbeReasons {
  const found = new Map<string, Found>();
  /** Of those that ended, and of those that wait while they are asked. */
  const asked = new Set<string>();
  const closing = new AbortController();

  async function ask(docker: Docker, { ID, Status, Spec }: ListedTask): Promise<void> {
    const path = `/containers/${Status.ContainerStatus?.ContainerID}/json`;
    try {
      const { signal } = closing;
      const { State } = await callDocker<Inspected>(docker, { method: 'GET', path, signal });
      const last = toldBy(State.Health?.Log ?? []);
      if (last === undefined || !asked.has(ID)) return;
      const before = found.get(ID);
      const now = foundIn(last, Spec);
      found.set(ID, now);
      if (before?.answer !== now.answer) onChange(`${now.probe} probe`);
    } catch (error) {
      if (closing.signal.aborted) return;
      // It is gone, or its server: the exit code is told.
      log.debug({ cluster, task: ID, reason: messageOf(error) }, 'a task tells no reason');
    }
  }

  return {
    reasonsOf(tasks, dockerOf) {
      const ended = tasks.filter(({ Status }) => isUnhealthy(Status.Err ?? ''));
      const waiting = tasks.filter(isWaiting);
      const ids = new Set([...ended, ...waiting].map(({ ID }) => ID));
      for (const known of [asked, found])
        for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      for (const task of [...ended, ...waiting]) {
        const docker = asked.has(task.ID) ? undefined : dockerOf(task.NodeID ?? '');
        if (docker === undefined) continue;
        asked.add(task.ID);
        void ask(docker, task).finally(() => {
          if (isWaiting(task)) asked.delete(task.ID);
        });
      }
      return new Map(found);
    },
    close: () => closing.abort(),
  };
}

function isWaiting({ Spec, Status }: ListedTask): boolean {
  const hasContainer = Status.ContainerStatus?.ContainerID !== undefined;
  return Status.State === 'starting' && hasContainer && hasStartup(Spec.ContainerSpec ?? {});
}

/** In the words of the docker engine. */
function foundIn({ ExitCode, Output }: CheckResult, task: ListedTask['Spec']): Found {
  // It was not run to its end: Docker tells why.
  const isOwn = ExitCode < 0 || needsProbes({ TaskTemplate: task });
  const lines = Output.split('\n').filter((line) => !(isOwn && CHATTER.test(line)));
  const all = lines.join(' ').replaceAll(/\s+/g, ' ').trim();
  const isOfStartup = all.startsWith(STARTUP_SAYS);
  const said = isOfStartup ? all.slice(STARTUP_SAYS.length).trim() : all;
  const text = said.slice(0, LONGEST_ANSWER);
  const probe = isOfStartup ? 'startup' : 'liveness';
  if (isOwn) return { probe, answer: text.startsWith('nc: ') ? connectionProblem(text) : text };
  return { probe, answer: `exit code ${ExitCode}${text === '' ? '' : `: ${text}`}` };
}
