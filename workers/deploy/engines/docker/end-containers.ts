import type { InitRole } from '#core/docker/world.ts';
import { removeContainer, stopContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import { LABEL } from './marks.ts';

/** What a container has to end even where others before it took all the time, as the kubelet gives it. */
const LEAST_GRACE_SECONDS = 2;

/** A container of a pod, which has to go. */
export interface Leaving {
  id: string;
  labels: Readonly<Record<string, string>>;
}

/** Ends and removes the containers of a pod: side by side, and sidecars after those they serve, the last one first. */
export async function endContainers(
  context: DockerContext,
  containers: readonly Leaving[],
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + graceSeconds * 1_000;
  const sidecars = containers
    .flatMap((container) => {
      const init = initRole(container.labels);
      return init?.sidecar === true ? [{ container, order: init.order }] : [];
    })
    .toSorted((one, other) => other.order - one.order)
    .map(({ container }) => container);
  const others = containers.filter((container) => !sidecars.includes(container));
  await Promise.all(others.map((each) => end(context, each, graceSeconds, signal)));
  for (const sidecar of sidecars) {
    const left = Math.max(LEAST_GRACE_SECONDS, Math.ceil((deadline - Date.now()) / 1_000));
    await end(context, sidecar, Math.min(graceSeconds, left), signal);
  }
}

export function initRole(labels: Readonly<Record<string, string>>): InitRole | undefined {
  const label = labels[LABEL.init];
  return label === undefined ? undefined : (JSON.parse(label) as InitRole);
}

async function end(
  context: DockerContext,
  { id }: Leaving,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  await stopContainer(context, id, graceSeconds, signal);
  await removeContainer(context, id, signal);
}
