import type { DockerContext } from './context.ts';
import { loadHaproxy, readHaproxy } from './haproxy.ts';
import type { HaproxyTarget } from './haproxy.ts';
import type { InspectedContainer } from './inspected.ts';
import type { HaproxyRole, SystemRole } from './system-containers.ts';
import type { SystemFiles } from './system-files.ts';

/** One of the cluster's own containers, and the sandbox that writes its files. */
interface Target {
  role: SystemRole;
  container: InspectedContainer;
  sandbox: InspectedContainer;
}

/** What the cluster's own containers run with. Read once of each: nobody but this worker writes it. */
export interface SystemContent {
  /** Empty where it is not known, or not as a whole. */
  hashOf(container: InspectedContainer, role: SystemRole, signal: AbortSignal): Promise<string>;
  /** HAProxy's configuration; absent before the first. */
  textOf(
    container: InspectedContainer,
    role: HaproxyRole,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Until its hash is written, a container counts as running with nothing. */
  writeHash(target: Target, hash: string, signal: AbortSignal): Promise<void>;
  load(
    target: HaproxyTarget,
    next: { text: string; hash: string },
    signal: AbortSignal,
  ): Promise<void>;
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createSystemContent(context: DockerContext, files: SystemFiles): SystemContent {
  const hashes = new Map<string, string>();
  const texts = new Map<string, string>();

  async function textOf(
    container: InspectedContainer,
    role: HaproxyRole,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { Id: id } = container;
    const text = texts.get(id) ?? (await readHaproxy(files, container, role, signal));
    if (text !== undefined) texts.set(id, text);
    return text;
  }

  async function writeHash(
    { role, container, sandbox }: Target,
    hash: string,
    signal: AbortSignal,
  ): Promise<void> {
    hashes.set(container.Id, '');
    await files.write(sandbox.Id, role, { hash }, signal);
    hashes.set(container.Id, hash);
  }

  return {
    textOf,
    writeHash,
    async hashOf(container, role, signal) {
      const known = hashes.get(container.Id);
      if (known !== undefined) return known;
      const read = (await files.read(container.Id, role, 'hash', signal)) ?? '';
      hashes.set(container.Id, read);
      return read;
    },
    async load(target, { text, hash }, signal) {
      const { container, role } = target;
      const before = await textOf(container, role, signal);
      hashes.set(container.Id, '');
      texts.delete(container.Id);
      await loadHaproxy(context, files, target, { text, before }, signal);
      texts.set(container.Id, text);
      await writeHash(target, hash, signal);
    },
    keepOnly(ids) {
      for (const known of [hashes, texts]) {
        for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      }
    },
  };
}
