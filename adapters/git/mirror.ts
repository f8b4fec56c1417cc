import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import { checkoutCommit } from './checkout.ts';
import { openGit } from './client.ts';
import type { GitCredentials } from './credentials.ts';
import { withAccess } from './credentials.ts';
import { gitEnvironment } from './environment.ts';
import { explainFetch, isBrokenRepository, redactUrl } from './explain.ts';
import { createKeyedLock } from './keyed-lock.ts';
import { packRepository } from './pack.ts';
import { resolveCommit } from './resolve.ts';
import type { ResolvedCommit } from './resolve.ts';
import { checkRef } from './ref.ts';
import { listFiles } from './tree.ts';
import { spawnGit } from './spawn-git.ts';

interface SourceRequest {
  url: string;
  credentials?: GitCredentials;
  /** Full ref, e.g. `refs/heads/main`. */
  ref: string;
  /** The commit that is asked for; counts where it is reachable from the ref, else the ref's head does. */
  commit: string;
  /** Folder to make and fill with exactly that commit; what is there is removed first. */
  into: string;
}

export interface Mirrors {
  /**
   * Fetches and checks out. A mirror is used by one call at a time and survives a force-push; a damaged one is cloned
   * again.
   */
  checkout(
    request: SourceRequest,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<CheckedOut>;
  /** Packs every mirror that needs it. */
  maintain(signal: AbortSignal): Promise<void>;
  remove(name: string, signal: AbortSignal): Promise<void>;
}

/** What was checked out, with the object that holds each file's content. */
export interface CheckedOut extends ResolvedCommit {
  objects: ReadonlyMap<string, string>;
}

interface Mirror {
  folder: string;
  request: SourceRequest;
  machine: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

const TEMPORARY_MARK = '.new-';

/** Bare mirrors of repositories below `root`, one for each URL. `machine` is the environment git may look into. */
export function createMirrors(
  root: string,
  machine: Readonly<Record<string, string | undefined>>,
): Mirrors {
  const lock = createKeyedLock();
  return {
    checkout: (request, onLine, signal) => {
      const folder = mirrorFolder(root, request.url);
      checkRef(request.ref);
      checkUrl(request.url);
      return lock(folder, signal, () => checkoutFrom({ folder, request, machine, signal }, onLine));
    },
    maintain: async (signal) => {
      const names = await readdir(root).catch(() => []);
      for (const name of names.filter((each) => each.endsWith('.git'))) {
        const folder = join(root, name);
        await lock(folder, signal, () => packRepository(folder, machine, signal));
      }
    },
    remove: (name, signal) => {
      const folder = join(root, name);
      return lock(folder, signal, () => discard(folder));
    },
  };
}

export function mirrorFolder(root: string, url: string): string {
  return join(root, `${createHash('sha256').update(url).digest('hex').slice(0, 24)}.git`);
}

async function checkoutFrom(mirror: Mirror, onLine: (line: string) => void): Promise<CheckedOut> {
  const { folder, request, signal } = mirror;
  if (await exists(folder)) {
    try {
      onLine(`fetching ${redactUrl(request.url)}`);
      return await fetchAndCheckout(mirror);
    } catch (error) {
      signal.throwIfAborted();
      if (!isBrokenRepository(error)) throw explainFetch(request.url, error);
      onLine('the mirror of the repository is damaged: cloning it again');
      await discard(folder);
    }
  }
  onLine(`cloning ${redactUrl(request.url)}`);
  try {
    await clone(mirror);
    return await readCommit(mirror);
  } catch (error) {
    signal.throwIfAborted();
    throw explainFetch(request.url, error);
  }
}

async function fetchAndCheckout(mirror: Mirror): Promise<CheckedOut> {
  await fetch(mirror);
  return readCommit(mirror);
}

async function readCommit({ folder, request, machine, signal }: Mirror): Promise<CheckedOut> {
  const environment = gitEnvironment(machine);
  const resolved = await resolveCommit(openGit({ folder, environment, signal }), request);
  const { commit } = resolved;
  const [files] = await Promise.all([
    listFiles(folder, machine, commit, signal),
    checkoutCommit({ mirror: folder, commit, into: request.into, environment }, signal),
  ]);
  const now = new Date();
  // When it was last used, for the collection.
  await utimes(folder, now, now);
  return { ...resolved, objects: new Map(files.map(({ path, object }) => [path, object])) };
}

/** Cloned beside its place and moved there whole, so that what is in its place was complete once. */
async function clone(mirror: Mirror): Promise<void> {
  const temporary = `${mirror.folder}${TEMPORARY_MARK}${randomUUID()}`;
  await mkdir(temporary, { recursive: true });
  try {
    const environment = gitEnvironment(mirror.machine);
    const git = openGit({ folder: temporary, environment, signal: mirror.signal });
    await git.raw('init', '--quiet', '--bare', '.');
    await git.raw('config', 'remote.origin.url', mirror.request.url);
    await fetch({ ...mirror, folder: temporary });
    await rename(temporary, mirror.folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function fetch({ folder, request, machine, signal }: Mirror): Promise<void> {
  await withAccess(request.url, request.credentials, async ({ config, environment }) => {
    const client = {
      folder,
      environment: { ...gitEnvironment(machine, config), ...environment },
      signal,
    };
    const options = ['--prune', '--force', '--no-tags', '--progress'];
    await spawnGit(client, ['fetch', ...options, 'origin', ...refspecs(request.ref)]);
  });
}

function refspecs(ref: string): string[] {
  const usual = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];
  const isUsual = ref.startsWith('refs/heads/') || ref.startsWith('refs/tags/');
  return isUsual ? usual : [...usual, `+${ref}:${ref}`];
}

/** Moved away first: whoever looks at its place sees a whole mirror or none. */
async function discard(folder: string): Promise<void> {
  const away = `${folder}${TEMPORARY_MARK}${randomUUID()}`;
  await rename(folder, away);
  await rm(away, { recursive: true, force: true });
}

async function exists(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}

function checkUrl(url: string): void {
  if (url !== '' && !url.startsWith('-') && !url.includes('\0')) return;
  throw new UserError('invalid-input', `${JSON.stringify(url)} is not the URL of a git repository`);
}
