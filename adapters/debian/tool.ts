import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import { hasApt } from './apt.ts';
import { extractPackages } from './extract-packages.ts';
import { findOnPath } from './find-on-path.ts';
import { loaderOf } from './libraries.ts';

export interface ToolSpec {
  program: string;
  packages: readonly string[];
  /** Within the packages. */
  file: string;
  /** For a machine without Debian's packages. */
  install: string;
}

export const REDIS_SERVER: ToolSpec = {
  program: 'redis-server',
  packages: ['redis-server', 'redis-tools'],
  file: 'usr/bin/redis-server',
  install: 'install Redis 6.2 or newer so that `redis-server` is on the PATH, or set REDIS_URL',
};

export const DOCKER_REGISTRY: ToolSpec = {
  program: 'docker-registry',
  packages: ['docker-registry'],
  file: 'usr/bin/docker-registry',
  install:
    'install Distribution (github.com/distribution/distribution) so that `docker-registry` is on the PATH, or set WINDLASS_REGISTRY to a registry of yours',
};

/** A program that can be run: `command`, then `args`, then its own arguments. */
export interface Tool {
  command: string;
  args: readonly string[];
}

export interface ToolSearch {
  /** Folder that keeps what was taken out of packages. */
  tools: string;
  /** As in the environment. */
  path: string;
}

/** The machine's own program, or the one out of Debian's packages; `missing-tool` where neither can be had. */
export async function findTool(
  spec: ToolSpec,
  { tools, path }: ToolSearch,
  signal: AbortSignal,
): Promise<Tool> {
  const installed = await findOnPath(spec.program, path);
  if (installed !== undefined) return { command: installed, args: [] };
  if (!(await hasApt(path))) {
    throw new UserError('missing-tool', `${spec.program} is not on this machine`, {
      hint: spec.install,
    });
  }
  const root = join(tools, spec.program);
  await extractPackages(spec.packages, root, signal);
  const [command = '', ...args] = await loaderOf(root);
  return { command, args: [...args, join(root, spec.file)] };
}
