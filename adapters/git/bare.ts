import { spawn } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { gitEnvironment } from './environment.ts';

const TIMEOUT_MS = 60_000;

type Machine = Readonly<Record<string, string | undefined>>;

interface GitOptions {
  input?: string | Buffer;
  environment?: Readonly<Record<string, string>>;
}

/** A bare repository of this machine, written with git's own plumbing. */
export interface BareRepository {
  readonly folder: string;
  exists(): Promise<boolean>;
  /** Makes it, empty, where it is not there yet. */
  create(): Promise<void>;
  /** Runs git in it; any exit code but 0 is an error. */
  git(args: readonly string[], options?: GitOptions): Promise<string>;
  /** The ref that `HEAD` names. */
  head(): Promise<string>;
  /** The commit a ref points to. */
  resolve(ref: string): Promise<string | undefined>;
  /** Moves a ref, only where it still is at `before` (`''`: not there). */
  update(ref: string, commit: string, before: string): Promise<void>;
}

export function openBare(folder: string, machine: Machine): BareRepository {
  const base = gitEnvironment(machine);
  function git(args: readonly string[], options: GitOptions = {}): Promise<string> {
    return runGit(folder, args, {
      ...options,
      environment: { ...base, GIT_DIR: folder, ...options.environment },
    });
  }
  async function exists(): Promise<boolean> {
    return stat(join(folder, 'HEAD')).then(
      () => true,
      () => false,
    );
  }
  return {
    folder,
    exists,
    git,
    async create() {
      if (await exists()) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await git(['init', '--quiet', '--bare', '--initial-branch=main', '.']);
    },
    async head() {
      return (await readFile(join(folder, 'HEAD'), 'utf8')).trim().replace(/^ref: /, '');
    },
    async resolve(ref) {
      if (!(await exists())) return undefined;
      const found = await git(['for-each-ref', '--format=%(objectname)%00%(refname)', ref]);
      const line = found.split('\n').find((each) => each.endsWith(`\0${ref}`));
      return line?.split('\0')[0];
    },
    async update(ref, commit, before) {
      await git(['update-ref', ref, commit, before === '' ? '0'.repeat(commit.length) : before]);
    },
  };
}

async function runGit(
  folder: string,
  args: readonly string[],
  { input = '', environment }: Required<Pick<GitOptions, 'environment'>> & GitOptions,
): Promise<string> {
  const child = spawn('git', args, {
    cwd: folder,
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {
    // It ended without reading all: its exit code tells.
  });
  child.stdin.end(input);
  const [output, errors, code] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    ended,
  ]);
  if (code === 0) return output.toString('utf8');
  throw new Error(`git ${args[0]} ended with ${code ?? 'a signal'}: ${errors.trim()}`);
}
