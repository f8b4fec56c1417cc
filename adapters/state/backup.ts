import { createWriteStream } from 'node:fs';
import { access, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { copyRepository } from '#adapters/git/copy.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { backupContents, HEADER } from './backup-contents.ts';
import type { BackupHeader } from './backup-contents.ts';
import { checkStateVersion, readStateVersion } from './state-version.ts';

const REFUSALS = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EIO']);

export interface BackupRequest {
  stateDir: string;
  /** The file to write: a tar archive, compressed. */
  file: string;
  /** Whether the images of the registry that Windlass runs itself are in it. */
  withImages: boolean;
  /** What git inherits. */
  machine: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface BackupSummary {
  repositories: number;
  files: number;
  bytes: number;
}

/**
 * Copies a state folder into one file while the server may go on: each repository as it is at one moment, each file
 * whole. The file is there, under its name, only once it is complete and on disk.
 */
export async function writeBackup(
  request: BackupRequest,
  signal: AbortSignal,
): Promise<BackupSummary> {
  const { stateDir } = request;
  const file = resolve(request.file);
  const stateVersion = await check(stateDir, file);
  const work = await mkdtemp(`${file}.part-`).catch((error: unknown) => {
    throw explain(file, error);
  });
  try {
    const archive = join(work, 'archive');
    const tar = pack();
    const target = createWriteStream(archive, { mode: 0o600, flush: true });
    const written = pipeline(tar, createGzip(), target, { signal });
    const header: BackupHeader = { version: 1, stateVersion, at: request.at };
    const filled = fill(tar, request, header, join(work, 'repository'), signal);
    filled.catch((error: unknown) => tar.destroy(error as Error));
    const [summary] = await Promise.all([filled, written]);
    await rename(archive, file);
    return { ...summary, bytes: target.bytesWritten };
  } catch (error) {
    signal.throwIfAborted();
    throw explain(file, error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What the machine refuses is for whoever runs it to put right. */
function explain(file: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!REFUSALS.has(code)) return error;
  return new UserError('unavailable', `${file} cannot be made: ${messageOf(error)}`, {
    cause: error,
    hint: 'a copy of the largest repository needs room beside it, too',
  });
}

async function check(stateDir: string, file: string): Promise<number> {
  await checkStateVersion(stateDir);
  const version = await readStateVersion(stateDir);
  if (version === undefined) {
    throw new UserError('not-found', `${stateDir} is no state folder that a server has used`, {
      hint: 'name it with --state, or call windlass where its `.windlass` folder is',
    });
  }
  if (!relative(resolve(stateDir), file).startsWith('..')) {
    throw new UserError('invalid-input', `${file} is within the state folder itself`, {
      hint: 'a backup belongs elsewhere, best on another machine',
    });
  }
  if (await isThere(file)) {
    throw new UserError('conflict', `${file} is there already`, {
      hint: 'name another file, or remove it',
    });
  }
  if (!(await isThere(dirname(file))))
    throw new UserError('not-found', `there is no folder ${dirname(file)}`);
  return version;
}

async function fill(
  tar: Pack,
  { stateDir, withImages, machine }: BackupRequest,
  header: BackupHeader,
  work: string,
  signal: AbortSignal,
): Promise<Omit<BackupSummary, 'bytes'>> {
  let repositories = 0;
  let files = 0;
  await addText(tar, HEADER, `${JSON.stringify(header)}\n`);
  for (const { path, kind } of await backupContents(stateDir, withImages)) {
    signal.throwIfAborted();
    const source = join(stateDir, path);
    if (kind === 'repository') {
      if (!(await isThere(join(source, 'HEAD')))) continue;
      await copyRepository(source, work, machine, signal);
      await addFolder(tar, work, path, signal);
      await rm(work, { recursive: true });
      repositories += 1;
    } else if (kind === 'folder') files += await addFolder(tar, source, path, signal);
    else files += await addFile(tar, source, path);
  }
  tar.finalize();
  return { repositories, files };
}

/** Empty folders too: git wants them. Answers how many files it added. */
async function addFolder(
  tar: Pack,
  folder: string,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  await addEntry(tar, { name: path, type: 'directory', mode: 0o700 });
  let files = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [source, target] = [join(folder, entry.name), `${path}/${entry.name}`];
    if (entry.isDirectory() && entry.name !== '_uploads')
      files += await addFolder(tar, source, target, signal);
    else if (entry.isFile() && !entry.name.endsWith('.part'))
      files += await addFile(tar, source, target);
  }
  return files;
}

/** As long as it is now: a log may grow meanwhile. One that is gone by now is left out. */
async function addFile(tar: Pack, file: string, path: string): Promise<number> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
  try {
    const { size, mode, mtime } = await handle.stat();
    const header = { name: path, size, mode: mode & 0o700, mtime };
    if (size === 0) {
      await addEntry(tar, header);
      return 1;
    }
    const { promise: added, resolve: done, reject } = Promise.withResolvers<void>();
    const entry = tar.entry(header, (error) => (error instanceof Error ? reject(error) : done()));
    const content = handle.createReadStream({ start: 0, end: size - 1, autoClose: false });
    await Promise.all([pipeline(content, entry), added]);
    return 1;
  } finally {
    await handle.close();
  }
}

function addText(tar: Pack, name: string, text: string): Promise<void> {
  return addEntry(tar, { name, mode: 0o600 }, text);
}

function addEntry(tar: Pack, header: Parameters<Pack['entry']>[0], text = ''): Promise<void> {
  return new Promise((done, reject) => {
    tar.entry(header, text, (error) => (error instanceof Error ? reject(error) : done()));
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
