import { runInContainer } from '#adapters/docker/exec.ts';
import type { DockerContext } from './context.ts';

const TRY_TIMEOUT_MS = 10_000;
const REFUSED = /cannot (?:bind|listen to) socket \(Address already in use\).*:(\d+)\]/g;

/**
 * Those of the ports that something has already, found out where they are to be: by a second HAProxy in that container, which listens
 * there and ends at once, since it cannot change to the folder that it is told to. One that reloads would have its worker
 * listen no more on all the others meanwhile.
 */
export async function findRefused(
  context: DockerContext,
  container: string,
  ports: readonly number[],
  signal: AbortSignal,
): Promise<number[]> {
  const command = ['haproxy', '-db', '-f', '/dev/stdin'];
  const input = Buffer.from(trial(ports));
  const request = { container, command, input, timeoutMs: TRY_TIMEOUT_MS };
  const { stdout, stderr } = await runInContainer(context.docker, request, signal);
  return [...`${stdout}${stderr}`.matchAll(REFUSED)].map(([, port]) => Number(port));
}

function trial(ports: readonly number[]): string {
  const sections = ports.map((port) => `frontend port.${port}\n  bind *:${port}\n`);
  return `global
  fd-hard-limit 5000
  noreuseport
  chroot /dev/null/nowhere

defaults
  mode tcp
  timeout client 1s

${sections.join('\n')}`;
}
