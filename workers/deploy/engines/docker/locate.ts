import { callDocker } from '#adapters/docker/call.ts';
import type { Place, SessionTarget } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import type { DockerContext } from './context.ts';
import { nameOf } from './inspected.ts';
import type { ListedContainer } from './inspected.ts';
import { filterOurs, LABEL } from './marks.ts';
import { parseDeletingName } from './names.ts';

/** A running container of the workload or pod: the one that was named, or the only one there is. */
export async function locate(
  context: DockerContext,
  target: SessionTarget,
  signal: AbortSignal,
): Promise<Place> {
  const containers = await runningParts(context, target, 'container', signal);
  const names = [...new Set(containers.map(({ Labels }) => Labels[LABEL.container] ?? ''))];
  const wanted = wantedContainer(target, names);
  const found = containers.find(({ Labels }) => Labels[LABEL.container] === wanted);
  if (found === undefined) throw notRunning(target);
  const { Labels: labels } = found;
  return {
    namespace: target.namespace,
    pod: labels[LABEL.pod] ?? '',
    container: wanted,
    owner: labels[LABEL.owner] ?? '',
    resource: labels[LABEL.resource] ?? '',
  };
}

/** The pod in which to find it. */
export async function locatePod(
  context: DockerContext,
  target: SessionTarget,
  signal: AbortSignal,
): Promise<string> {
  const [sandbox] = await runningParts(context, target, 'sandbox', signal);
  if (sandbox === undefined) throw notRunning(target);
  return sandbox.Labels[LABEL.pod] ?? '';
}

/** Of pods that are not about to go, by name. */
async function runningParts(
  context: DockerContext,
  target: SessionTarget,
  role: 'container' | 'sandbox',
  signal: AbortSignal,
): Promise<ListedContainer[]> {
  const parts = await listParts(context, target, signal);
  const leaving = new Set(
    parts
      .filter((part) => parseDeletingName(nameOf(part)).since !== undefined)
      .map(({ Labels }) => Labels[LABEL.pod]),
  );
  return parts
    .filter(({ Labels }) => Labels[LABEL.role] === role && !leaving.has(Labels[LABEL.pod]))
    .toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

function wantedContainer(target: SessionTarget, names: readonly string[]): string {
  const [only, ...others] = names;
  if (only === undefined) throw notRunning(target);
  if (target.container === undefined) {
    if (others.length === 0) return only;
    throw new UserError('invalid-input', `${displayKey(target.workload)} has several containers`, {
      hint: `choose with -c: ${names.join(', ')}`,
    });
  }
  if (names.includes(target.container)) return target.container;
  throw new UserError(
    'not-found',
    `${displayKey(target.workload)} runs no container ${target.container}`,
    { hint: `it runs ${names.join(', ')}` },
  );
}

function listParts(
  context: DockerContext,
  { namespace, workload }: SessionTarget,
  signal: AbortSignal,
): Promise<ListedContainer[]> {
  const [kind, , name = ''] = workload.split('/');
  const filters = filterOurs(context, {
    [LABEL.namespace]: namespace,
    ...(kind === 'Pod' ? { [LABEL.pod]: name } : { [LABEL.resource]: workload }),
  });
  // Without `all`: those that run.
  return callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { filters },
    signal,
  });
}

function notRunning({ workload }: SessionTarget): UserError {
  return new UserError('not-found', `no container of ${displayKey(workload)} runs`, {
    hint: '`windlass status` lists what runs; -n names another namespace',
  });
}
