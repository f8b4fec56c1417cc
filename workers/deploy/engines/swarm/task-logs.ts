import { followServiceLogs } from '#adapters/docker/logs.ts';
import type { LogOptions, LogTarget, WorkloadLogLine } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { SwarmContext } from './context.ts';
import { listTasks } from './tasks.ts';
import type { NamedTask } from './tasks.ts';
import { merge } from '../merge.ts';

const DETAILS = /^(\S*com\.docker\.swarm\.task\.id=(\w+)\S*) (.*)$/s;

/** The lines of all tasks of a workload (or one pod), from whichever server; new tasks are followed too. */
export async function* followTasks(
  context: SwarmContext,
  target: LogTarget,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<WorkloadLogLine> {
  const tasks = await listTasks(context, target, signal);
  const [first] = tasks;
  if (first === undefined)
    throw new UserError('not-found', `no pods of ${displayKey(target.workload)} are there`, {
      hint: '`windlass status` lists what runs',
    });
  const container = first.labels[MARK.container] ?? '';
  if (target.container !== undefined && target.container !== container) return;
  const only = target.workload.startsWith('Pod/') ? first.task.ID : undefined;
  const services = Map.groupBy(tasks, ({ task }) => task.ServiceID);
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  try {
    yield* merge(
      [...services.values()].map((some) =>
        linesOf(context, some, { ...options, container, only }, until),
      ),
    );
  } finally {
    ended.abort();
  }
}

/** Of tasks of one service, and those that it has later. */
async function* linesOf(
  { docker }: SwarmContext,
  tasks: readonly NamedTask[],
  options: LogOptions & { container: string; only: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<WorkloadLogLine> {
  const names = new Map(tasks.map(({ task, name }) => [task.ID, name]));
  const [first] = tasks;
  const { container, only } = options;
  const service = first?.task.ServiceID ?? '';
  for await (const { stream, line } of followServiceLogs(docker, service, options, signal)) {
    const [, , id = '', text = line] = DETAILS.exec(line) ?? [];
    if (only !== undefined && id !== only) continue;
    const pod = names.get(id) ?? `${nameBefore(first?.name ?? '')}.${id}`;
    yield { pod, container, stream, line: text };
  }
}

/** Of a task that came later only its id is known. */
function nameBefore(name: string): string {
  return name.split('.')[0] ?? name;
}
