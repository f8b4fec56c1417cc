import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** The first entry of every backup. */
export const HEADER = 'windlass-backup.json';
export const BackupHeader = z.looseObject({
  version: z.literal(1),
  stateVersion: z.int().positive(),
  /** Milliseconds since the epoch. */
  at: z.number(),
});
export type BackupHeader = z.infer<typeof BackupHeader>;

/** What is made anew, or belongs to processes: queues, images, caches, programs, locks, logs of the programs. */
const LEFT_OUT = new Set(['redis', 'registry', 'build', 'tools', 'hooks']);
const PASSING = /\.(lock|part|pid|sock|log)$|\.lock\.\d+$|\.stale-\d+$/;

/** Whether what a state folder holds under that name at its top is no part of a backup. */
export function isLeftOut(name: string): boolean {
  return LEFT_OUT.has(name) || PASSING.test(name);
}

/** A file or folder of the state folder, by its path in it, with how it gets into a backup. */
export interface BackupItem {
  path: string;
  kind: 'repository' | 'folder' | 'file';
}

/**
 * What a backup holds, in the order in which it is read: releases before the sources they were made of, so that of a
 * push in between the source is newer, which the next start notices.
 */
export async function backupContents(stateDir: string, withImages: boolean): Promise<BackupItem[]> {
  const names = await readdir(stateDir);
  const others = names.filter((name) => name !== 'git' && !isLeftOut(name));
  return [
    ...(await repositoriesIn(stateDir, 'git/releases')),
    ...(await repositoriesIn(stateDir, 'git')),
    ...(await kindsOf(stateDir, others)),
    ...(await registryIn(stateDir, withImages)),
  ];
}

async function repositoriesIn(stateDir: string, path: string): Promise<BackupItem[]> {
  const names = await readdir(join(stateDir, path)).catch(() => []);
  return names
    .filter((name) => name.endsWith('.git'))
    .map((name) => ({ path: `${path}/${name}`, kind: 'repository' }));
}

/** The port always, since images carry it in their names. What names blobs comes before the blobs. */
async function registryIn(stateDir: string, withImages: boolean): Promise<BackupItem[]> {
  const data = 'registry/data/docker/registry/v2';
  const wanted = [
    'registry/port',
    ...(withImages ? [`${data}/repositories`, `${data}/blobs`] : []),
  ];
  return kindsOf(stateDir, wanted);
}

async function kindsOf(stateDir: string, paths: readonly string[]): Promise<BackupItem[]> {
  const found = await Promise.all(
    paths.map(async (path): Promise<BackupItem[]> => {
      const info = await stat(join(stateDir, path)).catch(() => undefined);
      if (info?.isDirectory() === true) return [{ path, kind: 'folder' }];
      return info?.isFile() === true ? [{ path, kind: 'file' }] : [];
    }),
  );
  return found.flat();
}
