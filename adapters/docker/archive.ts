import { buffer } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { extract, pack } from 'tar-stream';
import { callDocker, isStatus, openStream } from '#adapters/docker/call.ts';

export type ArchiveEntry =
  | { kind: 'file'; path: string; content: Buffer | string; mode: number; group?: number }
  | { kind: 'directory'; path: string; mode: number; group?: number }
  | { kind: 'link'; path: string; target: string };

/** A tar archive of the entries, in order, owned by root, and by its group unless they say another. */
export async function packArchive(entries: readonly ArchiveEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    if (entry.kind === 'file') tar.entry(headerOf(entry), entry.content);
    else if (entry.kind === 'directory') tar.entry({ ...headerOf(entry), type: 'directory' });
    else tar.entry({ name: entry.path, type: 'symlink', linkname: entry.target });
  }
  tar.finalize();
  return buffer(tar);
}

/** Writes files into a container, running or not; the paths are from its root. */
export async function putFiles(
  docker: Docker,
  container: string,
  entries: readonly ArchiveEntry[],
  signal: AbortSignal,
): Promise<void> {
  await callDocker(docker, {
    method: 'PUT',
    path: `/containers/${container}/archive`,
    query: { path: '/' },
    file: await packArchive(entries),
    signal,
  });
}

/** What a path of a container, running or not, is: Go's `os.FileMode`. Absent where there is nothing. */
export async function statPath(
  docker: Docker,
  container: string,
  path: string,
  signal: AbortSignal,
): Promise<{ mode: number } | undefined> {
  try {
    const answer = (await openStream(docker, {
      method: 'HEAD',
      path: `/containers/${container}/archive`,
      query: { path },
      signal,
    })) as IncomingMessage;
    answer.resume();
    const stat = String(answer.headers['x-docker-container-path-stat']);
    return JSON.parse(Buffer.from(stat, 'base64').toString()) as { mode: number };
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** The text of one file in a container, running or not; absent where there is none. */
export async function readFile(
  docker: Docker,
  container: string,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    // As a whole: what is read no further than the file's end keeps its connection for ever.
    const archive = await callDocker<Buffer>(docker, {
      method: 'GET',
      path: `/containers/${container}/archive`,
      query: { path },
      signal,
    });
    const files = extract();
    files.end(archive);
    for await (const file of files) return (await buffer(file)).toString();
    return undefined;
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

function headerOf({ path, mode, group = 0 }: Exclude<ArchiveEntry, { kind: 'link' }>): {
  name: string;
  mode: number;
  gid: number;
} {
  return { name: path, mode, gid: group };
}
