import { lstat, readFile, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import ignore from '@balena/dockerignore';
import { UserError } from '#core/errors.ts';

/** One thing the build may see. Paths are from the context, with forward slashes. */
export type ContextEntry =
  | { kind: 'file'; path: string; source: string; size: number; executable: boolean }
  | { kind: 'directory'; path: string }
  | { kind: 'link'; path: string; target: string };

export interface BuildContext {
  /** In the order of a walk: names by their bytes, a folder before what is in it. */
  entries: readonly ContextEntry[];
  dockerfile: { name: string; content: Buffer };
  /** The text of the `.dockerignore` that was respected; absent where there is none. */
  ignored: string | undefined;
}

/** Modification times in nanoseconds since the epoch. Two contents of one file must never have the same. */
export interface FileTimes {
  /** Of the commit that is built. */
  commit: bigint;
  /** Of a file, by `source`. */
  of(source: string): bigint;
}

interface ContextRequest {
  /** The folder nothing may leave. */
  checkout: string;
  /** From the checkout. */
  context: string;
  /** From the context. */
  dockerfile: string;
}

/**
 * What is sent to a build, as `.dockerignore` says. A context, Dockerfile or link that leads out of the checkout is
 * refused by its name; no link is followed.
 */
export async function readContext(request: ContextRequest): Promise<BuildContext> {
  const checkout = await realpath(request.checkout);
  const folder = await insideOf(checkout, resolve(checkout, request.context), 'the build context');
  if (!(await lstat(folder)).isDirectory())
    throw new UserError('invalid-input', `the build context ${request.context} is not a folder`);
  const place = resolve(folder, request.dockerfile);
  const dockerfile = await insideOf(checkout, place, 'the Dockerfile');
  if (!(await lstat(dockerfile)).isFile())
    throw new UserError('invalid-input', `the Dockerfile ${shown(checkout, place)} is not a file`);
  const ignored =
    (await textOf(checkout, `${place}.dockerignore`)) ??
    (await textOf(checkout, join(folder, '.dockerignore')));
  const walk = {
    checkout,
    folder,
    isKept: filterOf(ignored),
    hasExceptions: hasExceptions(ignored),
  };
  return {
    entries: await walkFolder(walk, ''),
    dockerfile: { name: basename(request.dockerfile), content: await readFile(dockerfile) },
    ignored,
  };
}

interface Walk {
  checkout: string;
  folder: string;
  isKept: (path: string) => boolean;
  /** Whether something in an ignored folder may be kept all the same. */
  hasExceptions: boolean;
}

async function walkFolder(walk: Walk, folder: string): Promise<ContextEntry[]> {
  const found = await readdir(join(walk.folder, folder), { withFileTypes: true });
  const sorted = found.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const entries: ContextEntry[] = [];
  for (const each of sorted) {
    const path = folder === '' ? each.name : `${folder}/${each.name}`;
    // One by one: a folder may hold more than a call takes arguments.
    if (each.isDirectory()) for (const entry of await walkInto(walk, path)) entries.push(entry);
    else if (walk.isKept(path) && each.isSymbolicLink()) entries.push(await readLink(walk, path));
    else if (walk.isKept(path) && each.isFile()) entries.push(await readFileEntry(walk, path));
  }
  return entries;
}

async function walkInto(walk: Walk, path: string): Promise<ContextEntry[]> {
  const isKept = walk.isKept(path);
  if (!isKept && !walk.hasExceptions) return [];
  const inside = await walkFolder(walk, path);
  return isKept || inside.length > 0 ? [{ kind: 'directory', path }, ...inside] : [];
}

async function readFileEntry({ folder }: Walk, path: string): Promise<ContextEntry> {
  const source = join(folder, path);
  const { size, mode } = await lstat(source);
  return { kind: 'file', path, source, size, executable: (mode & 0o100) !== 0 };
}

async function readLink({ checkout, folder }: Walk, path: string): Promise<ContextEntry> {
  const place = join(folder, path);
  const target = await readlink(place);
  const leaves =
    isAbsolute(target) ||
    !isInside(checkout, resolve(dirname(place), target)) ||
    !isInside(checkout, await realpath(place).catch(() => checkout));
  if (leaves) {
    throw new UserError(
      'invalid-input',
      `${shown(checkout, place)} is a symbolic link that leaves the repository: it leads to ${target}`,
      { hint: 'remove it, or name it in .dockerignore' },
    );
  }
  return { kind: 'link', path, target };
}

/** Where a path really leads, which must be in the checkout. */
export async function insideOf(checkout: string, path: string, what: string): Promise<string> {
  const name = shown(checkout, path);
  if (!isInside(checkout, path))
    throw new UserError('invalid-input', `${what} ${name} is outside of the repository`);
  let real;
  try {
    real = await realpath(path);
  } catch (error) {
    throw new UserError('invalid-input', `${what} ${name} is not in the repository`, {
      cause: error,
      hint: 'is it committed, and is the path right?',
    });
  }
  if (isInside(checkout, real)) return real;
  throw new UserError(
    'invalid-input',
    `${what} ${name} leaves the repository through a symbolic link`,
  );
}

function isInside(checkout: string, path: string): boolean {
  return path === checkout || path.startsWith(checkout + sep);
}

function shown(checkout: string, path: string): string {
  const name = relative(checkout, path);
  return name === '' ? '.' : name;
}

async function textOf(checkout: string, path: string): Promise<string | undefined> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  return readFile(await insideOf(checkout, path, 'the ignore file'), 'utf8');
}

function filterOf(ignored: string | undefined): (path: string) => boolean {
  if (ignored === undefined) return () => true;
  return ignore
    .default({ ignorecase: false })
    .add(ignored.replace(/^\uFEFF/, ''))
    .createFilter();
}

function hasExceptions(ignored: string | undefined): boolean {
  return ignored !== undefined && /^\s*!/m.test(ignored);
}
