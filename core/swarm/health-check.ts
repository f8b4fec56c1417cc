import { httpRequest } from '#core/docker/probe-request.ts';
import type { Action, Probe } from '#core/docker/world.ts';
import { probesVolume } from '#core/swarm/names.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import type { HealthCheck, ServiceMount } from '#core/swarm/service.ts';

const NANOSECONDS = 1_000_000_000;
/** Where a task has the program that asks it. */
const FOLDER = '/.windlass';
const BUSYBOX = `${FOLDER}/busybox`;
/** The network of a task is its container's own. */
const OWN_ADDRESS = '127.0.0.1';
/** To start a program in a container takes Docker long where the server is busy: that is not the task's doing. */
const SLACK_SECONDS = 10;

/**
 * BusyBox has two kinds of `nc`: that of its own defaults, which the public images have, puts the connection at descriptor 3,
 * and tells why it has none only where it is asked to twice; that of Debian takes no such word. As `verbose`.
 */
const FIND_VERBOSE = `verbose=$("$0" nc --help 2>&1 | "$0" grep -q -e '-v' && echo -vv)`;

/** Connects to an address (1) and a port (2), and waits so many seconds for that (3). */
const ASK_TCP = `
${FIND_VERBOSE}
exec "$0" nc $verbose -w "$3" "$1" "$2" -e "$0" true
`;

/**
 * Asks at an address (1) and a port (2), and waits so many seconds for a connection, and for an answer (3), to a request (4).
 * It ends with 0 where the status is 200 to 399, and else tells what is wrong. BusyBox is `$0`: of the image it takes nothing.
 */
const ASK_HTTP = `
exec 9>&1
${FIND_VERBOSE}
exec "$0" nc $verbose -w "$3" "$1" "$2" -e "$0" sh -c '
say() { printf "%.200s\\n" "$1" >&9; exit 1; }
printf %s "$2"
IFS= read -r -t "$1" status || say "no answer within $1 s"
while IFS= read -r -t 1 line && [ -n "\${line%?}" ]; do :; done
IFS= read -r -t 1 body
case $status in HTTP/*\\ [1-9][0-9][0-9]*) ;; *) say "no HTTP: \${status%?}" ;; esac
code=\${status#* }
case $code in [23]*) exit 0 ;; esac
say "HTTP \${code%"\${code#???}"}\${body:+: $body}"
' "$0" "$3" "$4"
`;

/** A command in the container; that of the image counts for nothing, as in Kubernetes. */
export function healthCheckOf(liveness: Probe | undefined): HealthCheck {
  if (liveness === undefined) return { Test: ['NONE'] };
  const { action, timeoutSeconds } = liveness;
  const slack = action.kind === 'exec' ? 0 : SLACK_SECONDS;
  return {
    Test: ['CMD', ...commandOf(action, String(timeoutSeconds))],
    Interval: liveness.periodSeconds * NANOSECONDS,
    Timeout: (timeoutSeconds + slack) * NANOSECONDS,
    StartPeriod: liveness.initialDelaySeconds * NANOSECONDS,
    Retries: liveness.failureThreshold,
  };
}

function commandOf(action: Action, seconds: string): string[] {
  switch (action.kind) {
    case 'exec':
      return action.command;
    case 'tcp': {
      const { host = OWN_ADDRESS, port } = action;
      return [BUSYBOX, 'sh', '-c', ASK_TCP, BUSYBOX, host, String(port), seconds];
    }
    case 'http': {
      const { host = OWN_ADDRESS, port } = action;
      const request = httpRequest(host, action);
      return [BUSYBOX, 'sh', '-c', ASK_HTTP, BUSYBOX, host, String(port), seconds, request];
    }
    case 'grpc':
      throw new Error('nothing asks by gRPC in a task');
  }
}

/** What a task needs for its health check: a volume that each server has of its own, filled by Windlass. */
export function probesMount(liveness: Probe | undefined, place: SwarmPlace): ServiceMount[] {
  if (liveness === undefined || liveness.action.kind === 'exec') return [];
  const Source = probesVolume(place);
  const options = { VolumeOptions: { NoCopy: true } } as const;
  return [{ Type: 'volume', Source, Target: FOLDER, ReadOnly: true, ...options }];
}

/** Whether tasks of a service, as Swarm tells it or as it is to be, have what asks them from that volume. */
export function needsProbes(spec: unknown): boolean {
  const { TaskTemplate } = spec as { TaskTemplate?: { ContainerSpec?: { Mounts?: unknown } } };
  const mounts = (TaskTemplate?.ContainerSpec?.Mounts ?? []) as Pick<ServiceMount, 'Target'>[];
  return mounts.some(({ Target }) => Target === FOLDER);
}

/** Docker's words for a task that Swarm ended because of its health check. */
export function isUnhealthy(error: string): boolean {
  return /unhealthy container/.test(error);
}
