import { execFile } from 'node:child_process';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { openStream } from '#adapters/docker/call.ts';
import { DOCKER_REGISTRY, REDIS_SERVER } from '#adapters/debian/tool.ts';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { makeRootFileSystem } from '#adapters/images/root-file-system.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';

const TIMEOUT_MS = 300_000;
/** Where npm notes what it has installed. */
const INSTALLED = '.package-lock.json';
interface Installed {
  packages: Record<string, { dev?: boolean }>;
}
const run = promisify(execFile);

/** As the public image has it, whose Redis is open to the network that it is on. */
const REDIS = `FROM ${SYSTEM_IMAGES.sandbox}
ADD root.tar /
RUN printf '#!/bin/sh\\nexec /opt/redis-server "$@" --protected-mode no\\n' > /bin/redis-server && chmod 755 /bin/redis-server
WORKDIR /data
CMD ["redis-server"]
`;
const REGISTRY = `FROM ${SYSTEM_IMAGES.sandbox}
ADD root.tar /
COPY config.yml /etc/docker/registry/config.yml
ENTRYPOINT ["/opt/registry"]
CMD ["serve", "/etc/docker/registry/config.yml"]
`;
const REGISTRY_CONFIG = `version: 0.1
storage: { cache: { blobdescriptor: inmemory }, filesystem: { rootdirectory: /var/lib/registry } }
http: { addr: ":5000" }
`;
/** The Dockerfile of the project on what this machine has, in the place of the public image of Node. */
const WINDLASS = `FROM ${SYSTEM_IMAGES.sandbox}
COPY root /
WORKDIR /windlass
ENV NODE_ENV=production PATH=/windlass/node_modules/.bin:/usr/bin:/bin
RUN node apps/cli/windlass.mjs --help
ENTRYPOINT ["node", "apps/cli/windlass.mjs"]
CMD ["server"]
`;

/** Builds and tags what docker-compose.yml names, without any network. */
export async function buildLocalImages(docker: Docker): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-images-'));
  try {
    await buildRedis(docker, join(folder, 'redis'));
    await buildRegistry(docker, join(folder, 'registry'));
    await buildWindlass(docker, join(folder, 'windlass'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildRedis(docker: Docker, folder: string): Promise<void> {
  await putRoot(folder, REDIS_SERVER, '/opt/redis-server');
  await build(docker, folder, REDIS, 'redis:7');
}

async function buildRegistry(docker: Docker, folder: string): Promise<void> {
  await putRoot(folder, DOCKER_REGISTRY, '/opt/registry');
  await writeFile(join(folder, 'config.yml'), REGISTRY_CONFIG);
  await build(docker, folder, REGISTRY, 'registry:2');
}

async function buildWindlass(docker: Docker, folder: string): Promise<void> {
  const root = join(folder, 'root');
  const windlass = join(root, 'windlass');
  await mkdir(windlass, { recursive: true });
  const listed = await run('git', ['ls-files']);
  const files = listed.stdout.split('\n').filter((file) => /^(?!test\/|bench\/)./.test(file));
  for (const file of files) await cp(file, join(windlass, file));
  await putModules(windlass);
  await putPrograms(root);
  await build(docker, folder, WINDLASS, 'windlass:local');
}

/** As `npm ci --omit=dev` would have installed them. */
async function putModules(windlass: string): Promise<void> {
  const modules = await realpath('node_modules');
  const args = ['ls', '--omit=dev', '--all', '--parseable'];
  const listed = await run('npm', args, { cwd: dirname(modules) });
  const folders = listed.stdout.split('\n').filter((path) => path.startsWith(modules));
  for (const path of folders) {
    const to = join(windlass, 'node_modules', relative(modules, path));
    await cp(path, to, { recursive: true, force: true, verbatimSymlinks: true });
  }
  const all = JSON.parse(await readFile(join(modules, INSTALLED), 'utf8')) as Installed;
  const packages = Object.entries(all.packages).filter(([, { dev }]) => dev !== true);
  const left = JSON.stringify({ ...all, packages: Object.fromEntries(packages) });
  await writeFile(join(windlass, 'node_modules', INSTALLED), left);
  await mkdir(join(windlass, 'node_modules', '.bin'), { recursive: true });
  await symlink('../node/bin/node', join(windlass, 'node_modules', '.bin', 'node'));
}

/** git and what Node needs, from this machine. */
async function putPrograms(root: string): Promise<void> {
  const git = (await findOnPath('git', process.env['PATH'] ?? '')) ?? 'git';
  const { stdout } = await run(git, ['--exec-path']);
  const helpers = stdout.trim();
  const programs = ['git-http-backend', 'git-remote-http', 'git-remote-https'];
  for (const name of await readdir(helpers)) {
    const isWanted = programs.includes(name) || (await realpath(join(helpers, name))) === git;
    if (isWanted)
      await cp(join(helpers, name), join(root, helpers, name), { verbatimSymlinks: true });
  }
  await cp(git, join(root, 'usr/bin/git'), { dereference: true });
  for (const name of ['git-receive-pack', 'git-upload-pack'])
    await symlink('git', join(root, 'usr/bin', name));
  const binaries = [process.execPath, git, ...programs.map((name) => join(helpers, name))];
  for (const binary of binaries) {
    const { stdout: needs } = await run('ldd', [await realpath(binary)]);
    for (const [library] of needs.matchAll(/\/\S+\.so\S*/g))
      await cp(library, join(root, library), { dereference: true });
  }
}

async function putRoot(
  folder: string,
  { packages, file }: { packages: readonly string[]; file: string },
  target: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const recipe = { packages, file, target, links: [], changes: [] };
  const tools = join(tmpdir(), 'windlass-test-tools', 'images');
  const root = await makeRootFileSystem(recipe, tools, AbortSignal.timeout(TIMEOUT_MS));
  await writeFile(join(folder, 'root.tar'), root);
}

async function build(
  docker: Docker,
  folder: string,
  dockerfile: string,
  tag: string,
): Promise<void> {
  await writeFile(join(folder, 'Dockerfile'), dockerfile);
  const archive = execFile('tar', ['--create', '--directory', folder, '.'], {
    encoding: 'buffer',
    maxBuffer: Infinity,
  });
  if (archive.stdout === null) throw new Error('tar prints nothing');
  const said = await openStream(docker, {
    method: 'POST',
    path: '/build',
    query: { t: tag },
    file: archive.stdout,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    timeoutMs: TIMEOUT_MS,
  });
  const told = await text(said);
  if (!told.includes('Successfully tagged')) throw new Error(told.slice(-1_000));
}
