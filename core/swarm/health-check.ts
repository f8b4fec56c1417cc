import { httpRequest } from '#core/docker/probe-request.ts';
import type { Action, Probe, Probes } from '#core/docker/world.ts';
import { probesVolume } from '#core/swarm/names.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import type { HealthCheck, ServiceMount } from '#core/swarm/service.ts';

const NANOSECONDS = 1_000_000_000;
/** Where a task has the program that asks it. */
const FOLDER = '/.windlass';
const BUSYBOX = `${FOLDER}/busybox`;
/** In memory that every container has for itself, and in which each user may write, also where nothing else can be written. */
export const SHARED_MEMORY = '/dev/shm';
/** Its startup probe has succeeded. */
const STARTED = `${SHARED_MEMORY}/.windlass-started`;
/** Before what the startup probe found. */
export const STARTUP_SAYS = 'startup probe:';
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

/** Ends with 0 where a command (from 2 on) does so in time (1, in seconds), and else tells how it ended, and what it said. */
const ASK_COMMAND = `
seconds=$1
shift
exec 2>/dev/null
said=$("$0" timeout -s KILL "$seconds" "$@" 2>&1)
code=$?
case $code in
0) exit 0 ;;
137) echo "no end within $seconds s" ;;
*) printf "%.200s\n" "exit code $code\${said:+: $said}" ;;
esac
exit 1
`;

/**
 * Until there is a file (1), runs the first so many (2) words of those that follow, and makes the file once they end with 0;
 * from then on the words after them, and without any it is well.
 */
const START_FIRST = `
mark=$1 count=$2
shift 2
if [ -e "$mark" ]; then
  shift "$count"
  [ $# = 0 ] || exec "$@"
  exit 0
fi
others=$(($# - count))
while [ "$count" -gt 0 ]; do
  set -- "$@" "$1"
  shift
  count=$((count - 1))
done
shift "$others"
if said=$("$@" 2>&1); then
  "$0" touch "$mark"
  exit
fi
printf "${STARTUP_SAYS}\n%s\n" "$said"
exit 1
`;

type Checked = Pick<Probes, 'startup' | 'liveness'>;

/** A command in the container; that of the image counts for nothing, as in Kubernetes. */
export function healthCheckOf({ startup, liveness }: Checked): HealthCheck {
  if (startup !== undefined) return startCheckOf(startup, liveness);
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

/**
 * Docker has one check, with one period: first it is the startup probe, and once that has succeeded the liveness probe. As many
 * failures in a row are too many for either, so that of the startup probe's tries only as many at the end count.
 */
function startCheckOf(startup: Probe, liveness: Probe | undefined): HealthCheck {
  const { periodSeconds, initialDelaySeconds } = startup;
  // After the start a check without a liveness probe fails only where Docker could not run it, and that is no reason to end.
  const Retries = liveness?.failureThreshold ?? startup.failureThreshold;
  const first = wordsOf(startup);
  const then = liveness === undefined ? [] : wordsOf(liveness);
  const uncounted = startup.failureThreshold - Retries + 1;
  const longest = Math.max(startup.timeoutSeconds, liveness?.timeoutSeconds ?? 0);
  const ask = [BUSYBOX, 'sh', '-c', START_FIRST, BUSYBOX, STARTED, String(first.length)];
  return {
    Test: ['CMD', ...ask, ...first, ...then],
    Interval: periodSeconds * NANOSECONDS,
    Timeout: (longest + SLACK_SECONDS) * NANOSECONDS,
    StartPeriod: (initialDelaySeconds + uncounted * periodSeconds) * NANOSECONDS,
    Retries,
  };
}

/** What says itself when its time is over. */
function wordsOf({ action, timeoutSeconds }: Probe): string[] {
  const seconds = String(timeoutSeconds);
  const words = commandOf(action, seconds);
  return action.kind === 'exec'
    ? [BUSYBOX, 'sh', '-c', ASK_COMMAND, BUSYBOX, seconds, ...words]
    : words;
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
export function probesMount({ startup, liveness }: Checked, place: SwarmPlace): ServiceMount[] {
  const isAlone = liveness === undefined || liveness.action.kind === 'exec';
  if (startup === undefined && isAlone) return [];
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

/** Whether tasks of a service first have a startup probe. */
export function hasStartup({ Healthcheck }: { Healthcheck?: { Test?: string[] | null } }): boolean {
  return Healthcheck?.Test?.includes(STARTED) === true;
}

/** What Docker keeps of a check; its exit code is below 0 where it was not run to its end. */
export interface CheckResult {
  ExitCode: number;
  Output: string;
}

const KILLED = 137;

/** The last of them that failed, and not because it was killed with its container. */
export function toldBy(results: readonly CheckResult[]): CheckResult | undefined {
  const failed = results.filter(({ ExitCode }) => ExitCode !== 0);
  return failed.findLast(({ ExitCode }) => ExitCode !== KILLED) ?? failed.at(-1);
}

/** Docker's words for a task that Swarm ended because of its health check. */
export function isUnhealthy(error: string): boolean {
  return /unhealthy container/.test(error);
}
