import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '#core/errors.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import type { Tool } from '#adapters/debian/tool.ts';
import { firstFreePort, isFree } from './free-port.ts';
import { keepProcess } from './kept-process.ts';
import type { KeptProcess } from './kept-process.ts';
import { readPidFile } from './pid-file.ts';

const HOST = '127.0.0.1';
const FIRST_PORT = 5380;
const ASK_TIMEOUT_MS = 2_000;
const PORT_PATIENCE_MS = 3_000;
const PORT_CHECK_MS = 100;
const COLLECT_TIMEOUT_MS = 300_000;

export interface RegistryProcess extends KeptProcess {
  /** `127.0.0.1:port`, which Docker takes without TLS. */
  host: string;
  /** Frees what was deleted. It does not serve meanwhile: a registry that collects beside pushes loses images. */
  free(): Promise<void>;
}

/**
 * An image registry for this machine alone, its data in `folder`. What was deleted is freed before each start. */
export async function startRegistry(
  {
    folder,
    tool,
    log,
    firstPort = FIRST_PORT,
  }: { folder: string; tool: Tool; log: Logger; firstPort?: number },
  signal: AbortSignal,
): Promise<RegistryProcess> {
  const data = resolve(folder);
  await mkdir(data, { recursive: true });
  const pidFile = join(data, 'registry.pid');
  const port = await choosePort(data, {
    firstPort,
    isRunning: (await readPidFile(pidFile)) !== undefined,
    log,
  });
  const configFile = join(data, 'config.yml');
  const settings = configuration(join(data, 'data'), port);
  await writeFile(configFile, settings);
  const kept = await keepProcess(
    {
      name: 'registry',
      tool,
      args: ['serve', configFile],
      cwd: data,
      pidFile,
      logFile: join(data, 'registry.log'),
      settings,
      isReady: () => answers(port),
      prepare: (stop) => collect({ tool, configFile, log }, stop),
      log,
    },
    signal,
  );
  return Object.assign(kept, { host: `${HOST}:${port}`, free: () => kept.restart() });
}

/** No blob descriptor cache: with it a push after a deletion says that layers exist which are gone. */
function configuration(data: string, port: number): string {
  return `version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${JSON.stringify(data)} }
  delete: { enabled: true }
http: { addr: "${HOST}:${port}" }
`;
}

/** Images carry the port in their names, so it stays what it was for as long as it can. */
async function choosePort(
  folder: string,
  { firstPort, isRunning, log }: { firstPort: number; isRunning: boolean; log: Logger },
): Promise<number> {
  const file = join(folder, 'port');
  const known = await rememberedPort(file);
  if (known !== undefined && (isRunning || (await becomesFree(known)))) return known;
  const port = await firstFreePort(firstPort, HOST);
  if (known !== undefined)
    log.warn({ known, port }, "another program has the registry's port: images get new names");
  await writeFile(file, `${port}\n`);
  return port;
}

/** Who had it may be about to end. */
async function becomesFree(port: number): Promise<boolean> {
  const deadline = Date.now() + PORT_PATIENCE_MS;
  while (!(await isFree(port, HOST))) {
    if (Date.now() > deadline) return false;
    await sleep(PORT_CHECK_MS);
  }
  return true;
}

async function rememberedPort(file: string): Promise<number | undefined> {
  try {
    const port = Number(await readFile(file, 'utf8'));
    return Number.isInteger(port) && port > 0 ? port : undefined;
  } catch {
    return undefined;
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://${HOST}:${port}/v2/`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    return answer.ok;
  } catch {
    return false;
  }
}

async function collect(
  { tool, configFile, log }: { tool: Tool; configFile: string; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  try {
    await runProgram({
      command: tool.command,
      args: [...tool.args, 'garbage-collect', configFile],
      timeoutMs: COLLECT_TIMEOUT_MS,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    // A registry without a single push has no folder of repositories yet.
    if (messageOf(error).includes('Path not found')) return;
    log.warn({ reason: messageOf(error) }, 'the registry could not free what was deleted');
  }
}
