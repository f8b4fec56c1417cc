import { access } from 'node:fs/promises';
import { arch } from 'node:process';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import { runProgram } from './run-program.ts';

const LIST_TIMEOUT_MS = 20_000;

interface Platform {
  triplet: string;
  /** As programs name it. */
  loader: string;
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  x64: { triplet: 'x86_64-linux-gnu', loader: '/lib64/ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: '/lib/ld-linux-aarch64.so.1' },
};

export interface Library {
  /** As the program asks for it. */
  name: string;
  file: string;
}

/** Command and arguments that run programs of an extracted root with its own loader and libraries. */
export async function loaderOf(root: string): Promise<string[]> {
  const { triplet, loader } = platform();
  const folders = ['lib', 'usr/lib'].map((folder) => join(root, folder, triplet));
  const [file = ''] = loader.split('/').slice(-1);
  for (const folder of folders) {
    const path = join(folder, file);
    if (await isThere(path)) return [path, '--library-path', folders.join(':')];
  }
  throw new Error(`${root} holds no ${file}`);
}

/** The libraries a program of an extracted root needs, with the loader under its full name; none for a static one. */
export async function librariesOf(
  root: string,
  program: string,
  signal: AbortSignal,
): Promise<Library[]> {
  const [command = '', ...args] = await loaderOf(root);
  const listed = await runProgram({
    command,
    args: [...args, '--list', program],
    timeoutMs: LIST_TIMEOUT_MS,
    signal,
  });
  const libraries = [...listed.matchAll(/^\s*(\S+) => (\S+) \(/gm)].map(
    ([, name = '', file = '']): Library => ({ name, file }),
  );
  const { loader } = platform();
  return [...libraries.filter(({ name }) => name !== loader), { name: loader, file: command }];
}

/** Where libraries are in a root file system. */
export function libraryFolder(): string {
  return `/lib/${platform().triplet}`;
}

function platform(): Platform {
  const found = PLATFORMS[arch];
  if (found !== undefined) return found;
  throw new UserError('unsupported', `Debian packages for ${arch} are not known to Windlass`, {
    hint: `known are ${Object.keys(PLATFORMS).join(' and ')}: install the programs yourself`,
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
