import { realpath } from 'node:fs/promises';
import { relative } from 'node:path';
import type { FileTimes } from '#adapters/docker/build-context.ts';
import type { Source } from './context.ts';

interface Seen {
  object: string;
  time: bigint;
}

/**
 * Gives files the time of the commit in which this worker first saw their content, so that what has not changed keeps
 * its time and need not be sent to the build again. A file that has a commit's time has its content in that commit.
 */
export interface FileHistory {
  timesOf(source: Source): Promise<FileTimes>;
}

/** Forgotten with the process: then files get the commit's time and are sent once more. */
export function createFileHistory(): FileHistory {
  const repositories = new Map<string, ReadonlyMap<string, Seen>>();
  return {
    timesOf: async (source) => {
      const commit = commitTime(source);
      const files = seenNow(source, commit, repositories.get(source.url));
      repositories.set(source.url, files);
      const checkout = await realpath(source.checkout);
      return { commit, of: (path) => files.get(relative(checkout, path))?.time ?? commit };
    },
  };
}

function seenNow(
  { objects }: Source,
  commit: bigint,
  before: ReadonlyMap<string, Seen> | undefined,
): ReadonlyMap<string, Seen> {
  const now = new Map<string, Seen>();
  for (const [path, object] of objects) {
    const known = before?.get(path);
    now.set(path, known?.object === object ? known : { object, time: commit });
  }
  return now;
}

/** In nanoseconds; told apart from that of another commit in the same second by its id. */
function commitTime({ commit, committedAt }: Source): bigint {
  return BigInt(committedAt) * 1_000_000_000n + BigInt(Number.parseInt(commit.slice(0, 7), 16));
}
