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
  init?: InitRole;
}

/** As its labels tell of it. */
export function leavingOf(id: string, labels: Readonly<Record<string, string>>): Leaving {
  const init = initRole(labels);
  return { id, ...(init === undefined ? {} : { init }) };
}

interface Ending {
  graceSeconds: number;
  /** By which a hook that was cut off is known again. */
  reason?: string;
  /** They stay, with their logs. */
  keep?: true;
}

/**
 * Ends the containers of a pod, and removes them but for `keep`: side by side, and sidecars after those they serve, the last one first. Their
 * preStop hooks all begin at once.
 */
export async function endContainers(
  context: DockerContext,
  hooks: Hooks,
  containers: readonly Leaving[],
  ending: Ending,
  signal: AbortSignal,
): Promise<void> {
  const { graceSeconds, keep = false } = ending;
  const deadline = performance.now() + graceSeconds * 1_000;
  const sidecars = containers
    .flatMap(({ id, init }) =>
      init?.sidecar === true ? [{ id, order: init.order, asked: ask(id) }] : [],
    )
    .toSorted((one, other) => other.order - one.order);
  // They are awaited below; a rejection before that is not unhandled.
  for (const { asked } of sidecars) asked.catch(() => {});
  const others = containers.filter(({ init }) => init?.sidecar !== true);
  await Promise.all(
    others.map(async ({ id }) => {
      const { graceSeconds: left } = await ask(id);
      await end(id, left);
    }),
  );
  for (const { id, asked } of sidecars) {
    const { graceSeconds: own } = await asked;
    const left = Math.max(LEAST_GRACE_SECONDS, Math.ceil((deadline - performance.now()) / 1_000));
    await end(id, Math.min(own, left));
  }

  function ask(id: string): Promise<Stopping> {
    return hooks.preStop({ id, ...ending, goes: true }, signal);
  }

  async function end(id: string, seconds: number): Promise<void> {
    await stopContainer(context, id, seconds, signal);
    if (!keep) await removeContainer(context, id, signal);
  }
}

export function initRole(labels: Readonly<Record<string, string>>): InitRole | undefined {
  const label = labels[LABEL.init];
  return label === undefined ? undefined : (JSON.parse(label) as InitRole);
}
