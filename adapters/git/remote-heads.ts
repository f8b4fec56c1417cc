import { dirname, resolve } from 'node:path';
import { UserError } from '#core/errors.ts';
import type { GitCredentials } from './credentials.ts';
import { withAccess } from './credentials.ts';
import { gitEnvironment } from './environment.ts';
import { explainFetch, redactUrl } from './explain.ts';
import { spawnGit } from './spawn-git.ts';

const TIMEOUT_MS = 30_000;

interface HeadsRequest {
  url: string;
  credentials?: GitCredentials;
  branches: readonly string[];
}

/** Asks a remote for the commits its branches have, by branch, without fetching; those it lacks are left out. */
export async function readRemoteHeads(
  { url, credentials, branches }: HeadsRequest,
  { folder, machine }: { folder: string; machine: Readonly<Record<string, string | undefined>> },
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const refs = new Map(branches.map((branch) => [`refs/heads/${branch}`, branch]));
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const printed = await withAccess(url, credentials, ({ config, environment }) => {
      const client = {
        folder,
        environment: {
          ...gitEnvironment(machine, config),
          ...environment,
          // The folder may be inside a repository, whose configuration has no say here.
          GIT_CEILING_DIRECTORIES: dirname(resolve(folder)),
        },
        signal: AbortSignal.any([signal, deadline]),
      };
      return spawnGit(client, ['ls-remote', '--', url, ...refs.keys()]);
    });
    const found = printed.split('\n').map((line) => line.split('\t'));
    return new Map(
      found.flatMap(([commit = '', ref = '']) => {
        const branch = refs.get(ref);
        return branch === undefined ? [] : [[branch, commit]];
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw explainFetch(url, error);
    throw new UserError(
      'timeout',
      `${redactUrl(url)} did not answer within ${TIMEOUT_MS / 1_000} s`,
      { transient: true },
    );
  }
}
