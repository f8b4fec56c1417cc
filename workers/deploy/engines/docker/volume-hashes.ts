import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { readVolumeHashes } from './volumes.ts';

/** What is in the file volumes of running sandboxes. Known from our writes; asked of the sandbox after a restart of either. */
export interface VolumeHashes {
  of(sandbox: InspectedContainer, signal: AbortSignal): Promise<Record<string, string>>;
  add(sandbox: InspectedContainer, hashes: Record<string, string>): void;
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createVolumeHashes(context: DockerContext): VolumeHashes {
  const known = new Map<string, { startedAt: string; hashes: Record<string, string> }>();

  function remembered(sandbox: InspectedContainer): Record<string, string> | undefined {
    const entry = known.get(sandbox.Id);
    return entry?.startedAt === sandbox.State.StartedAt ? entry.hashes : undefined;
  }

  function add(sandbox: InspectedContainer, hashes: Record<string, string>): void {
    const all = { ...remembered(sandbox), ...hashes };
    known.set(sandbox.Id, { startedAt: sandbox.State.StartedAt, hashes: all });
  }

  return {
    add,
    async of(sandbox, signal) {
      if (sandbox.State.Status !== 'running') return {};
      const before = remembered(sandbox);
      if (before !== undefined) return before;
      const hashes = await readVolumeHashes(context, sandbox.Id, signal);
      add(sandbox, hashes);
      return hashes;
    },
    keepOnly(ids) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    },
  };
}
