import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { UserError } from '#core/errors.ts';

export interface RenderLimits {
  ms: number;
  /** Of what it keeps in memory. */
  memoryBytes: number;
  outputBytes: number;
}

export const RENDER_LIMITS: RenderLimits = {
  ms: 60_000,
  memoryBytes: 1_024 * 1_024 * 1_024,
  outputBytes: 10 * 1_024 * 1_024,
};

export interface RenderRequest {
  /** For people, e.g. `helm template charts/web`. */
  what: string;
  command: string;
  args: readonly string[];
  cwd: string;
  /** An empty folder for what it writes beside. */
  home: string;
  network: boolean;
  /** As in the environment. */
  path: string;
  limits?: RenderLimits;
}

export interface Rendered {
  text: string;
  /** Whether a network of its own kept it from all others. */
  isCutOff: boolean;
}

const ERROR_CHARACTERS = 16_000;
const SHOWN_LINES = 12;
/** A folder of its home that stays empty. */
const NO_PLUGINS = 'no-plugins';
/** Nobody listens there: what is sent through it is refused. */
const NO_PROXY_THERE = 'http://127.0.0.1:9';

/**
 * Runs a program that turns what is in a repository into manifests. It is given none of our environment, and ends with all
 * that it started where it takes too long, prints too much or needs too much memory.
 *
 * @throws UserError `invalid-input` with what it said, or which bound it came to
 */
export async function runRenderer(request: RenderRequest, signal: AbortSignal): Promise<Rendered> {
  signal.throwIfAborted();
  const limits = request.limits ?? RENDER_LIMITS;
  const wall = request.network ? [] : await networkWall(request.path, signal);
  const bound = await memoryBound(request.path, limits);
  const [command = '', ...args] = [...wall, ...bound, request.command, ...request.args];
  await mkdir(join(request.home, NO_PLUGINS), { recursive: true });
  const text = await run({ ...request, command, args }, limits, signal);
  return { text, isCutOff: wall.length > 0 };
}

/** What a program is started by so that it reaches no other machine; nothing where this one cannot do it. */
async function networkWall(path: string, signal: AbortSignal): Promise<readonly string[]> {
  const unshare = await findOnPath('unshare', path);
  if (unshare === undefined) return [];
  const ways = [
    [unshare, '--net'],
    [unshare, '--user', '--map-current-user', '--net'],
  ];
  for (const way of ways) if (await succeeds([...way, 'true'], signal)) return way;
  return [];
}

async function memoryBound(path: string, { memoryBytes }: RenderLimits): Promise<string[]> {
  const prlimit = await findOnPath('prlimit', path);
  return prlimit === undefined ? [] : [prlimit, `--data=${memoryBytes}`, '--core=0'];
}

function succeeds(
  [command = '', ...args]: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const child = spawn(command, args, { stdio: 'ignore', signal });
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}

function run(request: RenderRequest, limits: RenderLimits, signal: AbortSignal): Promise<string> {
  const child = spawn(request.command, request.args, {
    cwd: request.cwd,
    env: environmentFor(request, limits),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const decoder = new StringDecoder('utf8');
  const printed: Buffer[] = [];
  let bytes = 0;
  let told = '';
  let broken: string | undefined;
  function end(): void {
    if (child.pid !== undefined) killGroup(child.pid);
    // One that has left the group may hold them for as long as it likes.
    child.stdout.destroy();
    child.stderr.destroy();
  }
  function breakOff(why: string): void {
    broken ??= why;
    end();
  }
  const timer = setTimeout(() => breakOff(`takes longer than ${limits.ms / 1_000} s`), limits.ms);
  signal.addEventListener('abort', end, { once: true });
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.outputBytes) breakOff(`prints more than ${mebibytes(limits.outputBytes)}`);
    else printed.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    // The beginning: a program that is out of memory says so first, and then what all its threads did.
    if (told.length < ERROR_CHARACTERS) told += decoder.write(chunk);
  });
  return new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (code === 0 && broken === undefined) resolve(Buffer.concat(printed).toString('utf8'));
      else reject(failure(request.what, broken ?? reasonIn(told, code, limits)));
    });
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
}

/** Of ours it has the PATH alone: nothing that is secret there is to end up in a manifest. */
function environmentFor(
  { home, path, network }: RenderRequest,
  { memoryBytes }: RenderLimits,
): Record<string, string> {
  return {
    PATH: path,
    HOME: home,
    TMPDIR: home,
    LC_ALL: 'C.UTF-8',
    XDG_CACHE_HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    // Whatever is in a folder there may be run.
    HELM_PLUGINS: join(home, NO_PLUGINS),
    KUBECONFIG: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: network ? 'https:ssh:git' : 'none',
    // Go tidies up harder when it comes near to its bound.
    GOMEMLIMIT: String(Math.round(memoryBytes * 0.8)),
    ...(network
      ? {}
      : { HTTP_PROXY: NO_PROXY_THERE, HTTPS_PROXY: NO_PROXY_THERE, ALL_PROXY: NO_PROXY_THERE }),
  };
}

function reasonIn(told: string, code: number | null, { memoryBytes }: RenderLimits): string {
  if (/out of memory|cannot allocate memory/.test(told))
    return `needs more than ${mebibytes(memoryBytes)} of memory`;
  const lines = told.trim().split('\n');
  const shown = lines.slice(-SHOWN_LINES).join('\n');
  return shown === '' ? `ended with exit code ${code}` : shown;
}

function failure(what: string, why: string): UserError {
  return new UserError('invalid-input', `\`${what}\`: ${why}`);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1_024 / 1_024)} MiB`;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}
