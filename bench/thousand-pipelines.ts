import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ClusterView } from '#core/api/cluster.ts';
import type { ConfigView } from '#core/api/pipeline.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import type { Windlass } from '../test/support/windlass.ts';
import { childrenOf, memoryOf, processesWith } from './memory.ts';
import type { Figure } from './figure.ts';

const PIPELINES = 1_000;
const TARGET = 4;
const PUSHED_AT_ONCE = 4;
const REST_MS = 60_000;
const START_PATIENCE_MS = 1_200_000;
const run = promisify(execFile);
const NAMES = Array.from({ length: PIPELINES }, (_, index) => `bench-${index}`);

const CLUSTER = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;
/** A file of its own: one holds at most a thousand documents. */
const PIPELINE_FILE = NAMES.map(
  (name) => `---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${name} }
spec: { source: { branches: [main] }, deploy: [{ cluster: here, manifests: deploy/ }] }
`,
).join('');

/**
 * All roles started anew over a thousand deployed pipelines, until all of them were compared and nothing was to be done,
 * beside a shell that has git read the release of each.
 */
export async function thousandPipelines(): Promise<Figure> {
  const windlass = await startWindlass(CLUSTER);
  try {
    await writeFile(join(windlass.folder, 'config', 'pipelines', 'many.yaml'), PIPELINE_FILE);
    await waitUntil(async () => (await declared(windlass)) === PIPELINES, 'the configuration');
    await pushAll(windlass);
    await waitUntil(() => isServing(windlass), 'all pipelines', START_PATIENCE_MS);
    for (const role of ['server', 'build', 'deploy'] as const) await windlass.end(role);
    const begun = Date.now();
    await windlass.start('server');
    await Promise.all([windlass.start('build'), windlass.start('deploy')]);
    await waitUntil(() => isServing(windlass, begun), 'a look at all', START_PATIENCE_MS);
    const ours = Date.now() - begun;
    const peer = await timed(() => readReleases(join(windlass.folder, 'state', 'git', 'releases')));
    await sleep(REST_MS);
    const mains = ['apps/server/main.ts', 'workers/build/main.ts', 'workers/deploy/main.ts'];
    const pids = (await Promise.all(mains.map(processesWith))).flat();
    const own = new Set(await childrenOf(process.pid));
    const megabytes = Math.round(await memoryOf(pids.filter((pid) => own.has(pid))));
    const ratio = ours / peer;
    return {
      name: 'thousand-pipelines',
      ours,
      peer,
      ratio,
      target: TARGET,
      met: ratio <= TARGET,
      how: `the three roles started over ${PIPELINES} deployed pipelines until all of them were compared with the cluster and nothing was to be done, beside a shell that has git read the release of each; the three processes hold ${megabytes} MB (PSS) ${REST_MS / 1_000} s later`,
    };
  } finally {
    await windlass.stop();
  }
}

async function declared(windlass: Windlass): Promise<number> {
  return (await windlass.get<ConfigView>('/api/v1/config')).pipelines.length;
}

async function pushAll(windlass: Windlass): Promise<void> {
  const repository = join(windlass.folder, 'source');
  await run('git', ['init', '--quiet', repository]);
  const importing = spawn('git', ['-C', repository, 'fast-import', '--quiet'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  importing.stdin.end(NAMES.map(commitOf).join(''));
  await once(importing, 'close');
  const base = windlass.url.replace('http://', `http://windlass:${windlass.token}@`);
  const left = [...NAMES];
  async function push(): Promise<void> {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const to = [`${base}/git/${name}.git`, `${name}:refs/heads/main`];
      await run('git', ['-C', repository, 'push', '--quiet', '-o', 'nowait', ...to]);
    }
  }
  await Promise.all(Array.from({ length: PUSHED_AT_ONCE }, push));
}

function commitOf(name: string): string {
  const manifest = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { key: value }\n`;
  return `commit refs/heads/${name}
committer Bench <bench@windlass.invalid> 1700000000 +0000
data 5
First
M 100644 inline deploy/config.yaml
data ${manifest.length}
${manifest}
`;
}

/** Whether all were looked at, since then, and serve. */
async function isServing(windlass: Windlass, since = 0): Promise<boolean> {
  const { at = 0, owners } = await windlass.get<ClusterView>('/api/v1/clusters/here/workloads');
  return at > since && owners.length === PIPELINES && owners.every(({ serving }) => serving);
}

async function readReleases(folder: string): Promise<void> {
  const read = '{ git -C "$each" log -1 here && git -C "$each" archive --format=tar here; }';
  const all = `set -e; for each in "$1"/bench-*.git; do ${read} > /dev/null; done`;
  await run('sh', ['-c', all, 'sh', folder]);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = Date.now();
  await work();
  return Date.now() - begun;
}
