import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { UserError } from '#core/errors.ts';
import type { Tool } from '#adapters/debian/tool.ts';
import { startOf } from './identity.ts';
import { readPidFile, removePidFile, writePidFile } from './pid-file.ts';
import { stopProcess } from './stop-process.ts';

const START_TIMEOUT_MS = 60_000;
const READY_CHECK_MS = 20;
const ALIVE_CHECK_MS = 500;
const STOP_GRACE_MS = 10_000;
const FIRST_RESTART_MS = 200;
const LONGEST_RESTART_MS = 10_000;
const STEADY_MS = 30_000;

export interface ProcessSpec {
  name: string;
  tool: Tool;
  args: readonly string[];
  cwd: string;
  pidFile: string;
  logFile: string;
  /** Whatever else, beside program and arguments, makes a running one another than the wanted one. */
  settings: string;
  /** Whether it does its work already; it is asked until it does. */
  isReady: () => Promise<boolean>;
  /** Before a start, not where a running one is taken over. */
  prepare?: (signal: AbortSignal) => Promise<void>;
  log: Logger;
}

/** A child process that is kept running: started again, ever more slowly, when it dies. */
export interface KeptProcess {
  /** Of the process as it is now; changes when it is started again. */
  readonly pid: number;
  /** Left behind by an earlier start and taken over. */
  readonly adopted: boolean;
  /** Stops it and starts it again, `prepare` in between. Where that fails it is tried again as after any end. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the process, or takes over the one in the pid file where it lives, answers and was started alike. It gets a
 * process group of its own, so that Ctrl-C in a terminal is for its parent to hear, and outlives a killed parent.
 */
export async function keepProcess(spec: ProcessSpec, signal: AbortSignal): Promise<KeptProcess> {
  const stopping = new AbortController();
  const found = await adopt(spec, signal);
  let pid = found ?? (await start(spec, signal));
  let failures = 0;
  let since = Date.now();
  let turn = Promise.resolve();
  const watching = watch();

  /** Starts and stops, one after the other. */
  function alone(use: () => Promise<void>): Promise<void> {
    const used = turn.then(use);
    turn = used.catch(() => undefined);
    return used;
  }

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      await pause(ALIVE_CHECK_MS, stopping.signal);
      await alone(startWhereEnded);
    }
  }

  async function startWhereEnded(): Promise<void> {
    if (stopping.signal.aborted || (await readPidFile(spec.pidFile)) !== undefined) return;
    failures = Date.now() - since > STEADY_MS ? 0 : failures + 1;
    const waitMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** failures);
    spec.log.warn({ process: spec.name, pid, waitMs }, 'it ended by itself and is started again');
    await pause(waitMs, stopping.signal);
    if (stopping.signal.aborted) return;
    since = Date.now();
    try {
      pid = await start(spec, stopping.signal);
    } catch (error) {
      spec.log.error({ process: spec.name, err: error }, 'it could not be started again');
    }
  }

  async function end(): Promise<void> {
    const record = await readPidFile(spec.pidFile);
    if (record !== undefined) await stopProcess(record, STOP_GRACE_MS);
    await removePidFile(spec.pidFile);
  }

  return {
    get pid() {
      return pid;
    },
    adopted: found !== undefined,
    restart: () =>
      alone(async () => {
        if (stopping.signal.aborted) return;
        await end();
        pid = await start(spec, stopping.signal);
      }),
    stop: async () => {
      stopping.abort();
      await watching;
      await alone(end);
    },
  };
}

async function adopt(spec: ProcessSpec, signal: AbortSignal): Promise<number | undefined> {
  const record = await readPidFile(spec.pidFile);
  if (record === undefined) return undefined;
  const isWanted = record.configuration === configurationOf(spec);
  if (isWanted && (await becomesReady(spec, record.pid, signal))) return record.pid;
  spec.log.info({ process: spec.name, pid: record.pid }, 'one left behind does not fit: stopped');
  await stopProcess(record, STOP_GRACE_MS);
  return undefined;
}

async function start(spec: ProcessSpec, signal: AbortSignal): Promise<number> {
  await spec.prepare?.(signal);
  await mkdir(dirname(spec.logFile), { recursive: true });
  const output = await open(spec.logFile, 'a');
  const child = spawn(spec.tool.command, [...spec.tool.args, ...spec.args], {
    cwd: spec.cwd,
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  try {
    await once(child, 'spawn', { signal });
  } finally {
    await output.close();
  }
  child.unref();
  const pid = child.pid ?? 0;
  await writePidFile(spec.pidFile, pid, configurationOf(spec));
  if (await becomesReady(spec, pid, signal)) return pid;
  const record = await readPidFile(spec.pidFile);
  if (record !== undefined) await stopProcess(record, STOP_GRACE_MS);
  await removePidFile(spec.pidFile);
  signal.throwIfAborted();
  throw new UserError(
    'unavailable',
    `${spec.name} does not start: ${await lastLines(spec.logFile)}`,
    {
      hint: `its log is ${spec.logFile}`,
    },
  );
}

async function becomesReady(spec: ProcessSpec, pid: number, signal: AbortSignal): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && !signal.aborted) {
    if (await spec.isReady()) return true;
    if ((await startOf(pid)) === undefined) return false;
    await pause(READY_CHECK_MS, signal);
  }
  return false;
}

function configurationOf({ tool, args, settings }: ProcessSpec): string {
  const parts = JSON.stringify([tool.command, tool.args, args, settings]);
  return createHash('sha256').update(parts).digest('hex');
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  return text.trim().split('\n').slice(-3).join('\n') || 'it said nothing';
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    // Aborted: the caller looks at its signal.
  });
}
