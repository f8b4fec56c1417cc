import { setTimeout as sleep } from 'node:timers/promises';
import { isStatus } from '#adapters/docker/call.ts';
import { followLogs, followOutput } from '#adapters/docker/logs.ts';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { restartContainer, signalContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { isApart, isJoined } from './system-containers.ts';
import type { SystemRole } from './system-containers.ts';
import type { SystemFiles } from './system-files.ts';

const LOAD_TIMEOUT_MS = 15_000;
const LOG_RETRY_MS = 50;
const SIGNAL_AGAIN_MS = 300;

/** What a container of the system pod runs, as far as it takes to give it another configuration. */
interface Program {
  name: string;
  reloads: 'SIGUSR2' | 'SIGHUP';
  /** Of what it writes: whether it has loaded what it was given. False where the lines end before; throws why it refused. */
  judge(lines: AsyncIterable<ContainerLine>, onBegun: () => void): Promise<boolean>;
}

interface Shipment {
  role: SystemRole;
  container: InspectedContainer;
  sandbox: InspectedContainer;
  program: Program;
  config: Record<string, string>;
}

/** Writes a configuration and waits until the program has loaded it: again, or as it starts. */
export async function ship(
  context: DockerContext,
  files: SystemFiles,
  { role, container, sandbox, program, config }: Shipment,
  signal: AbortSignal,
): Promise<void> {
  const { Id: id, State } = container;
  const isJoint = isApart(role) || isJoined(container, sandbox);
  const writing = files.write(sandbox.Id, role, { hash: '', ...config }, signal);
  const ends = AbortSignal.any([signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
  const since = Date.now();
  const isRunning = State.Status === 'running' && isJoint;
  const [output] = await Promise.all([
    isRunning ? outputOf(context, id, ends) : undefined,
    writing,
  ]);
  if (output !== undefined) {
    if (await reload(context, { id, program, verdict: readVerdict(output, program) }, ends)) return;
  } else if (State.Status === 'running' || State.Status === 'restarting')
    await restartContainer(context, id, 0, signal);
  else await startContainer(context, id, signal);
  await waitUntilLoaded(context, { id, program, since }, { ends, signal });
}

/** Absent where its program has ended since it was looked at, and Docker is about to start it anew. */
async function outputOf(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<AsyncIterable<ContainerLine> | undefined> {
  try {
    return await followOutput(context.docker, id, signal);
  } catch (error) {
    if (isStatus(error, 409)) return undefined;
    throw error;
  }
}

/** False where its output ended before it said anything: Docker started it anew, or ends the stream early. */
async function reload(
  context: DockerContext,
  { id, program, verdict }: { id: string; program: Program; verdict: Verdict },
  signal: AbortSignal,
): Promise<boolean> {
  let isTaken = false;
  const taken = Promise.race([verdict.begun, verdict.ended]).then(() => {
    isTaken = true;
  });
  // HAProxy loses a signal that it gets just after it has loaded.
  while (!isTaken && !signal.aborted) {
    await signalContainer(context, id, program.reloads, signal);
    await Promise.race([taken, sleep(SIGNAL_AGAIN_MS)]);
  }
  return verdict.ended;
}

interface Verdict {
  /** It began to load something. */
  begun: Promise<void>;
  /** True when it loaded what is meant; false when the lines ended before. Rejects with why it refused. */
  ended: Promise<boolean>;
}

function readVerdict(lines: AsyncIterable<ContainerLine>, program: Program): Verdict {
  const begun = Promise.withResolvers<void>();
  const ended = program.judge(lines, begun.resolve);
  ended.catch(() => {
    // Told to whoever awaits it.
  });
  return { begun: begun.promise, ended };
}

/** By what it has written to its log, as often as it takes. */
async function waitUntilLoaded(
  context: DockerContext,
  { id, program, since }: { id: string; program: Program; since: number },
  { ends, signal }: { ends: AbortSignal; signal: AbortSignal },
): Promise<void> {
  while (!ends.aborted) {
    const lines = followLogs(context.docker, id, { follow: true, since }, ends);
    if (await readVerdict(lines, program).ended) return;
    await sleep(LOG_RETRY_MS);
  }
  signal.throwIfAborted();
  throw new Error(
    `${program.name} did not load its configuration: it said nothing in ${LOAD_TIMEOUT_MS / 1_000} s`,
  );
}
