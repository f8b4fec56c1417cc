import { setTimeout as sleep } from 'node:timers/promises';
import { runInContainer } from '#adapters/docker/exec.ts';
import { overLimit } from '#core/docker/eviction.ts';
import type { VolumeBytes } from '#core/docker/eviction.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { labelsOf } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { mapAtOnce } from './inspections.ts';
import { LABEL } from './marks.ts';
import { EMPTY_FOLDER } from './pod-config.ts';

/** As often as the kubelet looks. */
const PERIOD_MS = 10_000;
const AT_ONCE = 2;

/** Watches, beside the passes, what the volumes on disk of pods hold that say how much they may. */
export interface Evictions {
  setTargets(sandboxes: readonly InspectedContainer[]): void;
  /** Why the pod of that sandbox has to go. */
  of(sandboxId: string): string | undefined;
  close(): Promise<void>;
}

export function createEvictions(
  context: DockerContext,
  onChange: (what: string) => void,
): Evictions {
  const limits = new Map<string, VolumeBytes>();
  const evicted = new Map<string, string>();
  const closing = new AbortController();
  let watching: Promise<void> | undefined;

  async function watch(): Promise<void> {
    while (limits.size > 0) {
      await sleep(PERIOD_MS, undefined, { signal: closing.signal, ref: false });
      await mapAtOnce(AT_ONCE, [...limits], ([id, limit]) => look(id, limit));
    }
  }

  async function look(id: string, limit: VolumeBytes): Promise<void> {
    try {
      const why = overLimit(limit, await usedIn(context, id, Object.keys(limit), closing.signal));
      if (why === undefined || evicted.has(id) || !limits.has(id)) return;
      evicted.set(id, why);
      context.log.warn({ cluster: context.cluster, sandbox: id, why }, 'a pod is evicted');
      onChange(`sandbox ${id} is evicted`);
    } catch (error) {
      if (closing.signal.aborted) throw error;
      const reason = messageOf(error);
      context.log.debug({ cluster: context.cluster, sandbox: id, reason }, 'volumes not measured');
    }
  }

  return {
    setTargets(sandboxes) {
      limits.clear();
      for (const { Id, State, ...sandbox } of sandboxes) {
        const label = labelsOf({ Id, State, ...sandbox })[LABEL.sizeLimits];
        if (label !== undefined && State.Status === 'running')
          limits.set(Id, JSON.parse(label) as VolumeBytes);
      }
      for (const id of evicted.keys()) if (!limits.has(id)) evicted.delete(id);
      if (limits.size === 0 || watching !== undefined) return;
      // It ends by itself, or by the abort.
      watching = watch()
        .catch(() => {})
        .finally(() => (watching = undefined));
    },
    of: (sandboxId) => evicted.get(sandboxId),
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await watching;
    },
  };
}

async function usedIn(
  { docker }: DockerContext,
  sandboxId: string,
  volumes: readonly string[],
  signal: AbortSignal,
): Promise<VolumeBytes> {
  const folders = volumes.map((name) => `${EMPTY_FOLDER}/${name}`);
  const command = ['du', '-sk', ...folders];
  const { stdout } = await runInContainer(docker, { container: sandboxId, command }, signal);
  const lines = stdout.matchAll(/^(\d+)\s+.*\/([^/\n]+)$/gm);
  return Object.fromEntries([...lines].map(([, kib, name]) => [name ?? '', Number(kib) * 1_024]));
}
