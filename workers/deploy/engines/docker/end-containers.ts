import type { InitRole } from '#core/docker/world.ts';
import { removeContainer, stopContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { Hooks, Stopping } from './hooks.ts';
import { LABEL } from './marks.ts';

/** What a container has to end even where others before it took all the time, as the kubelet gives it. */
const LEAST_GRACE_SECONDS = 2;

/** A container of a pod, which has to go. */
export interface Leaving {
  id: string;
  labels: Readonly<Record<string, string>>;
}

interface Ending {
  graceSeconds: number;
  /** By which a hook that was cut off is known again. */
  reason?: string;
}

/**
 * Ends and removes the containers of a pod: side by side, and sidecars after those they serve, the last one first. Their
 * preStop hooks all begin at once.
 */
export async function endContainers(
  context: DockerContext,
  hooks: Hooks,
  containers: readonly Leaving[],
  ending: Ending,
  signal: AbortSignal,
): Promise<void> {
  const { graceSeconds } = ending;
  const deadline = Date.now() + graceSeconds * 1_000;
  const roles = containers.map((container) => ({ container, init: initRole(container.labels) }));
  const sidecars = roles
    .flatMap(({ container, init }) =>
      init?.sidecar === true
        ? [{ id: container.id, order: init.order, asked: ask(container) }]
        : [],
    )
    .toSorted((one, other) => other.order - one.order);
  // They are awaited below; a rejection before that is not unhandled.
  for (const { asked } of sidecars) asked.catch(() => {});
  const others = roles.filter(({ init }) => init?.sidecar !== true);
  await Promise.all(
    others.map(async ({ container }) => {
      const { graceSeconds: left } = await ask(container);
      await end(context, container.id, left, signal);
    }),
  );
  for (const { id, asked } of sidecars) {
    const { graceSeconds: own } = await asked;
    const left = Math.max(LEAST_GRACE_SECONDS, Math.ceil((deadline - Date.now()) / 1_000));
    await end(context, id, Math.min(own, left), signal);
  }

  function ask({ id }: Leaving): Promise<Stopping> {
    return hooks.preStop({ id, ...ending, goes: true }, signal);
  }
}

export function initRole(labels: Readonly<Record<string, string>>): InitRole | undefined {
  const label = labels[LABEL.init];
  return label === undefined ? undefined : (JSON.parse(label) as InitRole);
}

async function end(
  context: DockerContext,
  id: string,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  await stopContainer(context, id, graceSeconds, signal);
  await removeContainer(context, id, signal);
}
