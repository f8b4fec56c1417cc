import { spawn } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { gitEnvironment } from './environment.ts';

const TIMEOUT_MS = 60_000;
/** A ref that git has not packed is a file that names its commit: no process is needed to read it. */
const LOOSE = /^[0-9a-f]{40}(?:[0-9a-f]{24})?\n$/;

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
  /** What refs point to, by full name; those that are not there are left out. */
  refs(names: readonly string[]): Promise<Map<string, RefTarget>>;
  /** The texts of objects, in one git process however many they are. */
  texts(
    objects: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ): Promise<string[]>;
  /** The files of a commit, path to text. */
  files(commit: string): Promise<Record<string, string>>;
  /** Moves a ref, only where it still is at `before` (`''`: not there). */
  update(ref: string, commit: string, before: string): Promise<void>;
}

interface RefTarget {
  commit: string;
  tree: string;
}

export function openBare(folder: string, machine: Machine): BareRepository {
  const base = gitEnvironment(machine);
  function gitBytes(args: readonly string[], options: GitOptions = {}): Promise<Buffer> {
    return runGit(folder, args, {
      ...options,
      environment: { ...base, GIT_DIR: folder, ...options.environment },
    });
  }
  async function git(args: readonly string[], options?: GitOptions): Promise<string> {
    return (await gitBytes(args, options)).toString('utf8');
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
      const loose = await readFile(join(folder, ref), 'utf8').catch(() => '');
      if (LOOSE.test(loose)) return loose.trim();
      if (!(await exists())) return undefined;
      const found = await git(['for-each-ref', '--format=%(objectname)%00%(refname)', ref]);
      const line = found.split('\n').find((each) => each.endsWith(`\0${ref}`));
      return line?.split('\0')[0];
    },
    async refs(names) {
      if (!(await exists())) return new Map();
      const format = '--format=%(refname)%00%(objectname)%00%(tree)';
      const lines = (await git(['for-each-ref', format, ...names])).split('\n');
      const found = lines.map((line) => line.split('\0'));
      return new Map(
        found
          .filter(([name]) => name !== undefined && names.includes(name))
          .map(([name = '', commit = '', tree = '']) => [name, { commit, tree }]),
      );
    },
    async texts(objects, environment = {}) {
      if (objects.length === 0) return [];
      const input = objects.map((object) => `${object}\n`).join('');
      const output = await gitBytes(['cat-file', '--batch'], { input, environment });
      return readBatch(output, objects);
    },
    async files(commit) {
      const tar = extract();
      tar.end(await gitBytes(['archive', '--format=tar', commit]));
      const files: Record<string, string> = {};
      for await (const entry of tar) {
        const { name, type } = entry.header;
        const content = await text(entry);
        if (type === 'file') files[name] = content;
      }
      return files;
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
): Promise<Buffer> {
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
  if (code === 0) return output;
  throw new Error(`git ${args[0]} ended with ${code ?? 'a signal'}: ${errors.trim()}`);
}

/** `<object> <type> <bytes>`, a line end, the bytes and a line end, for each. */
function readBatch(output: Buffer, objects: readonly string[]): string[] {
  let at = 0;
  return objects.map((object) => {
    const end = output.indexOf('\n', at);
    const [, type, bytes] = output.toString('latin1', at, end).split(' ');
    if (type !== 'blob') throw new Error(`${object} is ${type ?? 'nothing'}, not a file`);
    const start = end + 1;
    at = start + Number(bytes) + 1;
    return output.toString('utf8', start, at - 1);
  });
}
