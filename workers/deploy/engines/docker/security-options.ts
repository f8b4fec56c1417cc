import { callDocker, DockerError } from '#adapters/docker/call.ts';
import type { ContainerSpec, PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import { readHostFile } from './host-paths.ts';

/** Where Kubernetes looks for profiles on a node. */
const SECCOMP_FOLDER = '/var/lib/kubelet/seccomp';

/** The profiles of a container as Docker is told of them, which it takes by their content. */
export async function securityOptionsOf(
  context: DockerContext,
  pod: PodSpec,
  container: ContainerSpec,
  signal: AbortSignal,
): Promise<string[]> {
  return [
    ...(await seccompOptions(context, pod, container, signal)),
    ...(await appArmorOptions(context, container, signal)),
  ];
}

async function seccompOptions(
  context: DockerContext,
  pod: PodSpec,
  { name, security: { seccomp } }: ContainerSpec,
  signal: AbortSignal,
): Promise<string[]> {
  if (seccomp === 'default') return [];
  if (seccomp === 'unconfined') return ['seccomp=unconfined'];
  const path = `${SECCOMP_FOLDER}/${seccomp.localhost}`;
  const profile = await readHostFile(context, pod, { path, part: `seccomp_${name}` }, signal);
  if (profile !== undefined) return [`seccomp=${profile}`];
  throw refused(`cannot load seccomp profile "${path}": no such file or directory`);
}

async function appArmorOptions(
  context: DockerContext,
  { security: { appArmor } }: ContainerSpec,
  signal: AbortSignal,
): Promise<string[]> {
  if (appArmor === undefined) return [];
  if (appArmor === 'unconfined') return ['apparmor=unconfined'];
  const { SecurityOptions: options } = await callDocker<{ SecurityOptions: string[] | null }>(
    context.docker,
    { method: 'GET', path: '/info', signal },
  );
  const isThere = options?.some((option) => option.startsWith('name=apparmor')) ?? false;
  if (!isThere) throw refused('Cannot enforce AppArmor: AppArmor is not enabled on the host');
  return appArmor === 'default' ? [] : [`apparmor=${appArmor.localhost}`];
}

/** As Docker itself refuses to make a container. */
function refused(message: string): DockerError {
  return new DockerError(400, message);
}
