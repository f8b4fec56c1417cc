import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import { followLogs } from '#adapters/docker/logs.ts';
import type { LogOptions, LogTarget, WorkloadLogLine } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { createHandOver } from './hand-over.ts';
import type { ListedContainer } from './inspected.ts';
import { filterOurs, LABEL } from './marks.ts';

const LOOK_FOR_NEW_PODS_MS = 2_000;
/** Who reads slowly slows the reading of the containers' logs down. */
const MOST_LINES_WAITING = 1_000;

/** The lines of all containers of a workload (or one pod), as they come; new pods are followed too. */
export async function* followWorkload(
  context: DockerContext,
  target: LogTarget,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<WorkloadLogLine> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const lines = createHandOver<WorkloadLogLine>(MOST_LINES_WAITING);
  const followed = new Set<string>();
  let open = 0;

  async function follow({ Id, Labels }: ListedContainer): Promise<void> {
    followed.add(Id);
    open += 1;
    const [pod, container] = [Labels[LABEL.pod] ?? '', Labels[LABEL.container] ?? ''];
    try {
      for await (const { stream, line } of followLogs(context.docker, Id, options, both)) {
        await lines.put({ pod, container, stream, line });
      }
    } catch (error) {
      if (!both.aborted)
        await lines.put({
          pod,
          container,
          stream: 'stderr',
          line: `(its log broke off: ${messageOf(error)})`,
        });
    } finally {
      open -= 1;
      lines.wake();
    }
  }

  try {
    const first = await find(context, target, signal);
    if (first.length === 0) {
      throw new UserError('not-found', `no pods of ${target.workload} are there`, {
        hint: '`windlass status` lists what runs',
      });
    }
    for (const container of first) void follow(container);
    let lookedAt = Date.now();
    while (!signal.aborted) {
      const isLast = !options.follow && open === 0;
      for (let line = lines.take(); line !== undefined; line = lines.take()) yield line;
      if (isLast) break;
      if (!options.follow && open === 0) continue;
      await Promise.race([
        lines.ready(),
        sleep(LOOK_FOR_NEW_PODS_MS, undefined, { signal }).catch(() => undefined),
      ]);
      if (!options.follow || Date.now() - lookedAt < LOOK_FOR_NEW_PODS_MS) continue;
      lookedAt = Date.now();
      for (const container of await find(context, target, signal))
        if (!followed.has(container.Id)) void follow(container);
    }
  } finally {
    ended.abort();
    lines.close();
  }
}

function find(
  context: DockerContext,
  { namespace, workload, container }: LogTarget,
  signal: AbortSignal,
): Promise<ListedContainer[]> {
  const [kind, , name = ''] = workload.split('/');
  const filters = filterOurs(context, {
    [LABEL.role]: 'container',
    [LABEL.namespace]: namespace,
    ...(kind === 'Pod' ? { [LABEL.pod]: name } : { [LABEL.resource]: workload }),
    ...(container === undefined ? {} : { [LABEL.container]: container }),
  });
  return callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters },
    signal,
  });
}
