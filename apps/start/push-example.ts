import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gitEnvironment } from '#adapters/git/environment.ts';
import { UserError } from '#core/errors.ts';

const AUTHOR = ['-c', 'user.name=Windlass example', '-c', 'user.email=example@windlass.invalid'];

export interface ExamplePush {
  /** Folder with the example's files. */
  example: string;
  remote: string;
  token: string;
  path: string;
}

/** Commits the example in a repository of its own and pushes it as anybody would; every line of git is told. */
export async function pushExample(
  push: ExamplePush,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-example-'));
  const said: string[] = [];
  function hear(line: string): void {
    said.push(line);
    onLine(line);
  }
  try {
    await cp(push.example, folder, { recursive: true });
    const git = gitIn(folder, push);
    await git(['init', '--quiet', '-b', 'main'], () => {}, signal);
    await git(['add', '--all'], () => {}, signal);
    await git([...AUTHOR, 'commit', '--quiet', '-m', 'Say hello'], () => {}, signal);
    // Over a first try that failed: this repository is made anew each time.
    await git(['push', '--force', push.remote, 'main'], hear, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (said.some((line) => /^remote:.*\bDEPLOYED\b/.test(line))) return;
  throw new UserError('deploy-failed', 'the example was pushed and is not deployed', {
    hint: 'the lines above say why; `npm start` tries again',
  });
}

function gitIn(
  folder: string,
  { token, path }: Pick<ExamplePush, 'token' | 'path'>,
): (args: string[], onLine: (line: string) => void, signal: AbortSignal) => Promise<void> {
  const basic = Buffer.from(`windlass:${token}`).toString('base64');
  const env = gitEnvironment({ PATH: path }, [
    ['http.extraHeader', `Authorization: Basic ${basic}`],
    // The server is silent while something builds.
    ['http.lowSpeedLimit', '0'],
  ]);
  return async (args, onLine, signal) => {
    const child = spawn('git', args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      signal,
    });
    const lines: string[] = [];
    const closed = once(child, 'close');
    for await (const line of createInterface({ input: child.stderr })) {
      const told = line.trimEnd();
      lines.push(told);
      onLine(told);
    }
    const [code] = (await closed) as [number | null];
    signal.throwIfAborted();
    if (code === 0) return;
    throw new UserError('unavailable', `git ${args[0]} failed: ${lines.slice(-3).join('; ')}`);
  };
}
