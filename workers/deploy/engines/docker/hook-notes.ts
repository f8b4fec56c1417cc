import { DockerError } from '#adapters/docker/call.ts';
import { putFiles, readFile } from '#adapters/docker/archive.ts';
import { labelsOf } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { LABEL } from './marks.ts';

const FOLDER = 'windlass/hooks';

/** How far a hook of a container came: what a worker that was cut off leaves to the next one. */
export interface HookNote {
  /** Which start of the container, and which reason to stop it. */
  of: string;
  /** When it began (ms). */
  at: number;
  /** Of its command. */
  exec?: string;
  ended?: { ok: boolean; answer: string; at: number };
}

/** The sandbox keeps notes: its life is the pod's. Absent where there is none of just that. */
export async function readNote(
  context: DockerContext,
  container: InspectedContainer,
  hook: 'postStart' | 'preStop',
  of: string,
  signal: AbortSignal,
): Promise<HookNote | undefined> {
  const sandbox = sandboxOf(container);
  if (sandbox === undefined) return undefined;
  const text = await readFile(context.docker, sandbox, `/${pathOf(container, hook)}`, signal);
  const note = text === undefined || text === '' ? undefined : (JSON.parse(text) as HookNote);
  return note?.of === of ? note : undefined;
}

export async function writeNote(
  context: DockerContext,
  container: InspectedContainer,
  hook: 'postStart' | 'preStop',
  note: HookNote,
  signal: AbortSignal,
): Promise<void> {
  const sandbox = sandboxOf(container);
  if (sandbox === undefined) return;
  const content = JSON.stringify(note);
  try {
    await putFiles(
      context.docker,
      sandbox,
      [
        { kind: 'directory', path: FOLDER, mode: 0o755 },
        { kind: 'file', path: pathOf(container, hook), content, mode: 0o600 },
      ],
      signal,
    );
  } catch (error) {
    // Of a sandbox that somebody took away nothing is to be gone on with.
    if (!(error instanceof DockerError)) throw error;
  }
}

export function sandboxOf({ HostConfig }: InspectedContainer): string | undefined {
  return /^container:(.+)$/.exec(HostConfig.NetworkMode)?.[1];
}

function pathOf(container: InspectedContainer, hook: string): string {
  return `${FOLDER}/${hook}-${labelsOf(container)[LABEL.container] ?? ''}`;
}
