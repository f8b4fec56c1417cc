import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { messageOf, UserError } from '#core/errors.ts';
import { BackupHeader, HEADER, isLeftOut } from './backup-contents.ts';
import { refuseNewer, RESTORING } from './state-version.ts';

type Entry = AsyncIterable<unknown> & { header: Header; resume(): unknown };

/**
 * Makes a state folder out of a backup. Nothing is in its place before all of it is unpacked and was whole; where it is
 * cut off after that, a mark stays that keeps every program from using the folder.
 */
export async function restoreBackup(
  file: string,
  stateDir: string,
  signal: AbortSignal,
): Promise<BackupHeader> {
  await refuseUsed(stateDir);
  const work = join(stateDir, RESTORING);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o700 });
  const header = await unpack(file, work, signal).catch(async (error: unknown) => {
    await rm(work, { recursive: true, force: true });
    throw error;
  });
  const there = new Set(await readdir(stateDir));
  for (const name of await readdir(work)) {
    // A registry that was left in its place has more images than its backup.
    if (!there.has(name)) await rename(join(work, name), join(stateDir, name));
  }
  await rm(work, { recursive: true });
  return header;
}

async function refuseUsed(stateDir: string): Promise<void> {
  const names = await readdir(stateDir).catch(() => []);
  const used = names.filter((name) => !isLeftOut(name) && name !== 'lost+found');
  if (used.length === 0) return;
  const some = used.slice(0, 3).join(', ');
  throw new UserError('conflict', `${stateDir} is in use: it holds ${some}`, {
    hint: `stop Windlass and move the folder away: mv ${stateDir} ${stateDir}.old`,
  });
}

async function unpack(file: string, folder: string, signal: AbortSignal): Promise<BackupHeader> {
  const source = createReadStream(file);
  const tar = extract();
  const read = pipeline(source, createGunzip(), tar, { signal });
  read.catch(() => {
    // Told where the entries are read.
  });
  let header: BackupHeader | undefined;
  try {
    for await (const entry of tar) {
      if (header === undefined) header = await readHeader(entry, file);
      else await place(entry, folder);
    }
    await read;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    throw new UserError('invalid-input', `${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
      hint: 'is it a whole backup, as `windlass backup` writes it?',
    });
  }
  if (header === undefined) throw noBackup(file);
  return header;
}

async function readHeader(entry: Entry, file: string): Promise<BackupHeader> {
  if (entry.header.name !== HEADER) throw noBackup(file);
  const parsed = BackupHeader.safeParse(JSON.parse(await text(entry)));
  if (!parsed.success) throw noBackup(file);
  refuseNewer(file, parsed.data.stateVersion);
  return parsed.data;
}

async function place(entry: Entry, folder: string): Promise<void> {
  const { name, type, mode } = entry.header;
  const path = name.replace(/\/$/, '');
  if (!isInside(path)) throw new Error(`${name} leads out of the folder`);
  const target = join(folder, path);
  if (type === 'directory') {
    await mkdir(target, { recursive: true, mode: 0o700 });
    entry.resume();
    return;
  }
  if (type !== 'file') throw new Error(`${name} is neither a file nor a folder`);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await pipeline(entry, createWriteStream(target, { flags: 'wx', mode: (mode & 0o700) | 0o400 }));
}

function isInside(path: string): boolean {
  return path !== '' && path.split('/').every((part) => !['', '.', '..'].includes(part));
}

function noBackup(file: string): UserError {
  return new UserError('invalid-input', `${file} is no backup of Windlass`);
}
