import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { removeContainer, renameContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import { endContainers, leavingOf } from './end-containers.ts';
import type { EngineState } from './engine-state.ts';
import { nameOf, type ListedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { filterOurs, LABEL } from './marks.ts';
import { deletingName, parseDeletingName, podKey, sandboxName } from './names.ts';
import { removeVolume, type ListedVolume } from './records.ts';

/** Between the proxies' change to other pods and the stop signal: for requests that the old workers just took. */
const DRAIN_MS = 1_000;

interface Pod {
  name: string;
  namespace: string;
}

/**
 * Ends pods beside the passes: grace periods hold nobody up. INVARIANT: a pod is first marked, then left out of the
 * proxies, and only a pass that ended well begins to stop what is marked; so no request meets a stopped pod.
 */
export interface Terminations {
  mark(pod: Pod, graceSeconds: number, signal: AbortSignal): Promise<void>;
  /** When the pod was marked, for one that has no sandbox to carry the mark. */
  markedAt(pod: Pod): number | undefined;
  begin(pod: Pod, graceSeconds: number, since: number): void;
  isRunning(pod: Pod): boolean;
  /** Resolves when no termination is under way any more. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export function createTerminations(
  context: DockerContext,
  parts: Pick<EngineState, 'hooks' | 'lastWordFiles'>,
  onChange: (what: string) => void,
): Terminations {
  const marked = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  const closing = new AbortController();

  async function run(pod: Pod, graceSeconds: number, since: number): Promise<void> {
    const { signal } = closing;
    try {
      // The clock may have been set back since.
      const left = Math.min(DRAIN_MS, since + DRAIN_MS - Date.now());
      await sleep(Math.max(0, left), undefined, { signal });
      await removePod(context, parts, pod, { graceSeconds, reason: String(since) }, signal);
      marked.delete(podKey(pod));
    } catch (error) {
      if (signal.aborted) return;
      context.log.warn(
        { cluster: context.cluster, pod: podKey(pod), reason: messageOf(error) },
        'a pod could not be removed; it is tried again',
      );
    } finally {
      running.delete(podKey(pod));
      onChange(`pod ${podKey(pod)} ended`);
    }
  }

  return {
    async mark(pod, _graceSeconds, signal) {
      const since = Date.now();
      const name = sandboxName(context, pod.namespace, pod.name);
      const sandbox = await inspectContainer(context, name, signal);
      if (sandbox === undefined) marked.set(podKey(pod), marked.get(podKey(pod)) ?? since);
      else await renameContainer(context, sandbox.Id, deletingName(name, since), signal);
    },
    markedAt: (pod) => marked.get(podKey(pod)),
    begin(pod, graceSeconds, since) {
      if (closing.signal.aborted || running.has(podKey(pod))) return;
      running.set(podKey(pod), run(pod, graceSeconds, since));
    },
    isRunning: (pod) => running.has(podKey(pod)),
    async settled() {
      await Promise.all(running.values());
    },
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await Promise.all(running.values());
    },
  };
}

async function removePod(
  context: DockerContext,
  { hooks, lastWordFiles }: Pick<EngineState, 'hooks' | 'lastWordFiles'>,
  pod: Pod,
  ending: { graceSeconds: number; reason: string },
  signal: AbortSignal,
): Promise<void> {
  const filters = filterOurs(context, { [LABEL.namespace]: pod.namespace, [LABEL.pod]: pod.name });
  const listed = await callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters },
    signal,
  });
  const sandboxes = listed.filter(({ Labels }) => Labels[LABEL.role] === 'sandbox');
  const containers = listed.filter(({ Labels }) => Labels[LABEL.role] !== 'sandbox');
  const leaving = containers.map(({ Id, Labels }) => leavingOf(Id, Labels));
  await endContainers(context, hooks, leaving, ending, signal);
  await lastWordFiles.remove(pod, signal);
  await removeVolumes(context, pod, sandboxes, filters, signal);
}

/** The sandbox carries the mark, and so goes last but for the volumes that it holds. */
async function removeVolumes(
  context: DockerContext,
  pod: Pod,
  sandboxes: readonly ListedContainer[],
  filters: string,
  signal: AbortSignal,
): Promise<void> {
  for (const sandbox of sandboxes) {
    const isMarked = parseDeletingName(nameOf(sandbox)).since !== undefined;
    if (!isMarked) throw new Error(`${podKey(pod)} was made anew while it was deleted`);
    await removeContainer(context, sandbox.Id, signal);
  }
  const { Volumes: volumes } = await callDocker<{ Volumes: ListedVolume[] | null }>(
    context.docker,
    {
      method: 'GET',
      path: '/volumes',
      query: { filters },
      signal,
    },
  );
  await Promise.all((volumes ?? []).map(({ Name }) => removeVolume(context, Name, signal)));
}
