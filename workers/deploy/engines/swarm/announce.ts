import { messageOf } from '#core/errors.ts';
import type { SandboxShell } from '../docker/sandbox-shell.ts';
import type { SwarmContext } from './context.ts';

/** A task that runs, with its address on the cluster's network. */
export interface Placed {
  id: string;
  /** The name of its server. */
  node: string;
  address: string;
}

export interface Announcer {
  /** Each of them once; where that fails, with a later call again. Others are forgotten. */
  announce(tasks: readonly Placed[]): void;
  close(): void;
}

const ANSWER_S = 2;
const PATIENCE_MS = 10_000;

/**
 * Has new tasks heard of by the bridge of their server. That keeps for 300 s where it last heard an address from, and
 * Docker does not clear what it learned of containers that it knew no place of: those of a manager while it forms a new
 * swarm. Whoever gets such an address next on that server is not reached from others until it has said something itself,
 * which a pod that only answers never does. So it is asked for its address from beside it, by a broadcast, which it
 * answers.
 */
export function createAnnouncer(
  context: Pick<SwarmContext, 'cluster' | 'log'>,
  shellOf: (node: string) => SandboxShell | undefined,
): Announcer {
  const closing = new AbortController();
  let announced = new Set<string>();

  async function announceOn(node: string, tasks: readonly Placed[]): Promise<void> {
    const shell = shellOf(node);
    const sandboxId = shell?.sandboxId();
    if (shell === undefined || sandboxId === undefined) return;
    for (const { id } of tasks) announced.add(id);
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      await shell.run(sandboxId, scriptOf(tasks), signal);
    } catch (error) {
      for (const { id } of tasks) announced.delete(id);
      const { cluster, log } = context;
      log.debug({ cluster, server: node, reason: messageOf(error) }, 'tasks not announced');
    }
  }

  return {
    announce(tasks) {
      const ids = new Set(tasks.map(({ id }) => id));
      announced = new Set([...announced].filter((id) => ids.has(id)));
      const fresh = tasks.filter(({ id }) => !announced.has(id));
      for (const [node, placed] of Map.groupBy(fresh, (task) => task.node))
        void announceOn(node, placed);
    },
    close: () => closing.abort(),
  };
}

/** Fails where one of them does not answer. */
function scriptOf(tasks: readonly Placed[]): string {
  const asked = tasks.map(
    ({ address }) => `arping -q -f -w ${ANSWER_S} ${address} & asked="$asked $!"`,
  );
  return ['asked=', ...asked, 'for one in $asked; do wait "$one"; done'].join('\n');
}
