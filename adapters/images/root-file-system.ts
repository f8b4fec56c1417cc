import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packArchive } from '#adapters/docker/archive.ts';
import type { ArchiveEntry } from '#adapters/docker/archive.ts';
import { extractPackages } from '#adapters/debian/extract-packages.ts';
import { libraryFolder, librariesOf } from '#adapters/debian/libraries.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import type { ImageRecipe } from './recipes.ts';

const USERS = { root: 0, nobody: 65_534 };
const FOLDERS = [
  '/bin',
  '/dev',
  '/etc',
  '/proc',
  '/root',
  '/run',
  '/sys',
  '/usr/bin',
  '/usr/sbin',
  '/var/lib/misc',
  '/var/run',
];
const APPLETS_TIMEOUT_MS = 10_000;

/** A tar archive with the recipe's program, the libraries it needs and little else. */
export async function makeRootFileSystem(
  recipe: ImageRecipe,
  tools: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const root = join(tools, recipe.packages[0] ?? '');
  await extractPackages(recipe.packages, root, signal);
  const program = await programIn(root, recipe.file);
  const files: ArchiveEntry[] = [
    { kind: 'file', path: recipe.target, content: await readFile(program), mode: 0o755 },
    ...(await libraries(root, program, signal)),
    ...(await modules(recipe, root)),
    ...Object.entries(recipe.texts ?? {}).map(([path, content]): ArchiveEntry => ({
      kind: 'file',
      path,
      content,
      mode: 0o644,
    })),
    ...(await links(recipe, program, signal)),
    ...users(),
  ];
  return packArchive([...folders(files), ...files].map(withoutRoot));
}

/** `/bin` and `/sbin` moved into `/usr` over Debian's releases. */
async function programIn(root: string, file: string): Promise<string> {
  const moved = join(root, 'usr', file);
  try {
    await access(join(root, file));
    return join(root, file);
  } catch {
    return moved;
  }
}

async function libraries(
  root: string,
  program: string,
  signal: AbortSignal,
): Promise<ArchiveEntry[]> {
  if (await isStatic(program)) return [];
  const needed = await librariesOf(root, program, signal);
  return Promise.all(
    needed.map(async ({ name, file }): Promise<ArchiveEntry> => {
      const path = name.startsWith('/') ? name : join(libraryFolder(), name);
      return { kind: 'file', path, content: await readFile(file), mode: 0o755 };
    }),
  );
}

async function modules(
  { modules: wanted = {} }: ImageRecipe,
  root: string,
): Promise<ArchiveEntry[]> {
  return Promise.all(
    Object.entries(wanted).map(async ([file, path]): Promise<ArchiveEntry> => ({
      kind: 'file',
      path,
      content: await readFile(join(root, file)),
      mode: 0o644,
    })),
  );
}

/** A program for the loader names it in its first page. */
async function isStatic(program: string): Promise<boolean> {
  const head = (await readFile(program)).subarray(0, 4_096);
  return !head.includes('/ld-linux');
}

async function links(
  recipe: ImageRecipe,
  program: string,
  signal: AbortSignal,
): Promise<ArchiveEntry[]> {
  const applets = recipe.target.endsWith('/busybox') ? await appletsOf(program, signal) : [];
  return [...recipe.links, ...applets]
    .filter((path) => path !== recipe.target)
    .map((path) => ({ kind: 'link', path, target: recipe.target }));
}

async function appletsOf(busybox: string, signal: AbortSignal): Promise<string[]> {
  const listed = await runProgram({
    command: busybox,
    args: ['--list'],
    timeoutMs: APPLETS_TIMEOUT_MS,
    signal,
  });
  return listed
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox')
    .map((name) => `/bin/${name}`);
}

function users(): ArchiveEntry[] {
  const lines = Object.entries(USERS);
  const passwd = lines.map(([name, id]) => `${name}:x:${id}:${id}::/:/bin/sh\n`).join('');
  const group = lines.map(([name, id]) => `${name}:x:${id}:\n`).join('');
  return [
    { kind: 'file', path: '/etc/passwd', content: passwd, mode: 0o644 },
    { kind: 'file', path: '/etc/group', content: group, mode: 0o644 },
  ];
}

function folders(files: readonly ArchiveEntry[]): ArchiveEntry[] {
  const needed = [...FOLDERS, ...files.map(({ path }) => dirname(path))].flatMap(withParents);
  const made = [...new Set(needed)].toSorted();
  return [
    ...made.map((path): ArchiveEntry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'directory', path: '/tmp', mode: 0o1777 },
    { kind: 'directory', path: '/var/tmp', mode: 0o1777 },
  ];
}

function withParents(path: string): string[] {
  return path === '/' ? [] : [...withParents(dirname(path)), path];
}

function withoutRoot(entry: ArchiveEntry): ArchiveEntry {
  return { ...entry, path: entry.path.slice(1) };
}
