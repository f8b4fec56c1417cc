import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Beyond what a push waits for; what a hanging one has printed is then told by the test. */
const GIT_TIMEOUT_MS = 150_000;

export interface GitResult {
  code: number | null;
  output: string;
}

/** A developer's repository, used with the real git. */
export interface Repository {
  folder: string;
  git(...args: string[]): Promise<GitResult>;
  /** Writes files (`undefined` removes one) and commits; answers the commit. */
  commit(files: Record<string, string | undefined>, message?: string): Promise<string>;
  remove(): Promise<void>;
}

export async function createRepository(): Promise<Repository> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-repository-'));

  async function git(...args: string[]): Promise<GitResult> {
    const identity = [
      '-c',
      'user.name=Ada',
      '-c',
      'user.email=ada@example.invalid',
      '-c',
      'commit.gpgsign=false',
    ];
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
    };
    const child = spawn('git', [...identity, ...args], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: what git starts holds the output too.
      detached: true,
    });
    const tooLong = setTimeout(() => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid);
      } catch {
        // It has ended just now.
      }
    }, GIT_TIMEOUT_MS);
    const [output, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    clearTimeout(tooLong);
    return { code: child.exitCode, output: output + errors };
  }

  await git('init', '--quiet', '-b', 'main');
  return {
    folder,
    git,
    async commit(files, message = 'Change') {
      for (const [path, content] of Object.entries(files)) {
        const file = join(folder, path);
        if (content === undefined) {
          await rm(file);
          continue;
        }
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, content);
      }
      await git('add', '--all');
      const committed = await git('commit', '--quiet', '--allow-empty', '-m', message);
      if (committed.code !== 0) throw new Error(committed.output);
      return (await git('rev-parse', 'HEAD')).output.trim();
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
