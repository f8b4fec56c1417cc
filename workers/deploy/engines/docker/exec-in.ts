import { startInteractive } from '#adapters/docker/interactive.ts';
import type { Place, Session } from '#core/engine.ts';
import type { Start } from '#core/tunnel/frame.ts';
import type { DockerContext } from './context.ts';
import { partName } from './names.ts';

/** A command in a container of a pod. */
export function execIn(
  context: DockerContext,
  { namespace, pod, container }: Place,
  { command, terminal }: Start,
  signal: AbortSignal,
): Promise<Session> {
  const name = partName(context, { namespace, name: pod }, container);
  const request = { container: name, command, ...(terminal === undefined ? {} : { terminal }) };
  return startInteractive(context.docker, request, signal);
}
