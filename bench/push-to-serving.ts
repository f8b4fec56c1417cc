import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createRepository } from '../test/support/repository.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import { figure, medianParts } from './figure.ts';
import type { Figure } from './figure.ts';

const SERVED = 'serving';
/** Milliseconds, by name, in order. */
type Parts = Readonly<Record<string, number>>;

const ROUNDS = 7;
const NODE_PORT = 31_790;
const PEER_PORT = 31_791;
const TIMEOUT_MS = 60_000;

const CONFIG = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: bench }
spec: { images: [{ name: web }], deploy: [{ cluster: here, manifests: deploy/ }] }
`;

const FILES = {
  Dockerfile:
    'FROM busybox:1.36\nCOPY page /www/page\nCMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n',
  'deploy/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{ name: web, image: web, ports: [{ containerPort: 8080 }], readinessProbe: { httpGet: { path: /page, port: 8080 } } }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: ${NODE_PORT} }] }
`,
  // What a team has today: stop the old container, run the new one, wait for its port.
  'deploy.sh': `set -e
docker build -q -t "$1" . > /dev/null
date +%s%3N
docker push -q "$1" > /dev/null
date +%s%3N
docker rm -f "$2" > /dev/null 2>&1 || true
docker run -d --name "$2" -p ${PEER_PORT}:8080 "$1" > /dev/null
`,
};

/** From `git push` until the new page is served, beside a shell script of the bare Docker commands. */
export async function pushToServing(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const repository = await createRepository();
  const container = `bench-${windlass.installation}`;
  const times = { ours: [] as number[], peer: [] as number[] };
  const parts = { ours: [] as Parts[], peer: [] as Parts[] };
  try {
    await repository.git(
      'remote',
      'add',
      'windlass',
      `${windlass.url.replace('//', `//bench:${windlass.token}@`)}/git/bench.git`,
    );
    await repository.commit({ ...FILES, page: 'round 0' });
    await ours('round 0');
    await peer('round 0');
    for (let round = 1; round <= ROUNDS; round += 1) {
      const page = `round ${round}`;
      await repository.commit({ page });
      const own = await ours(page);
      times.ours.push(sum(own));
      parts.ours.push(own);
      // The cache of the one must not serve the other.
      await repository.commit({ page: `${page} of the script` });
      const bare = await peer(`${page} of the script`);
      times.peer.push(sum(bare));
      parts.peer.push(bare);
    }
  } finally {
    await run('docker', ['rm', '-f', container], repository.folder).catch(() => undefined);
    await windlass.stop();
    await repository.remove();
  }
  const [own, bare] = [medianParts(parts.ours), medianParts(parts.peer)];
  return {
    ...figure(
      'push-to-serving',
      times,
      2,
      'a one-file change: `git push` until the new page is served through the Service, beside `docker build`, `docker push`, `docker run` in a shell script until its port serves it',
    ),
    parts: [...own].map(([name, milliseconds]) => {
      const beside = bare.get(name);
      return { name, ours: milliseconds, ...(beside === undefined ? {} : { peer: beside }) };
    }),
  };

  async function ours(page: string): Promise<Parts> {
    const begun = Date.now();
    const pushing = repository.git('push', 'windlass', 'main');
    await served(NODE_PORT, page);
    const until = Date.now();
    const { output } = await pushing;
    if (!output.includes('DEPLOYED')) throw new Error(output);
    await oldPodIsGone();
    const { createdAt, steps } = await windlass.lastRun('bench');
    const ends = steps.flatMap(({ name, endedAt }): [string, number][] =>
      endedAt === undefined || name.startsWith('deploy') ? [] : [[name, endedAt]],
    );
    return partsOf(begun, [['recorded', createdAt], ...ends, [SERVED, until]]);
  }

  /** So that no round is measured while the one before is still being cleared away. */
  async function oldPodIsGone(): Promise<void> {
    const filter = `label=windlass.dev/installation=${windlass.installation}`;
    const args = [
      'ps',
      '--all',
      '--quiet',
      '--filter',
      filter,
      '--filter',
      'label=windlass.dev/pod',
    ];
    // One pod: its sandbox and its container.
    await waitUntil(async () => (await lines('docker', args)) <= 2, 'the old pod to be gone');
  }

  async function peer(page: string): Promise<Parts> {
    const begun = Date.now();
    const told = await run(
      'sh',
      ['deploy.sh', `${windlass.registry}/bench-peer:${begun}`, container],
      repository.folder,
    );
    await served(PEER_PORT, page);
    const [built = 0, pushed = 0] = told.trim().split('\n').map(Number);
    return partsOf(begun, [
      ['build web', built],
      ['push web', pushed],
      [SERVED, Date.now()],
    ]);
  }
}

/** From the end of the one before, the first from the beginning. */
function partsOf(begun: number, ends: readonly (readonly [string, number])[]): Parts {
  return Object.fromEntries(
    ends.map(([name, end], index) => [name, end - (ends[index - 1]?.[1] ?? begun)]),
  );
}

function sum(parts: Parts): number {
  return Object.values(parts).reduce((total, each) => total + each, 0);
}

async function served(port: number, page: string): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (performance.now() < end) {
    const response = await fetch(`http://127.0.0.1:${port}/page`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(1_000),
    }).catch(() => undefined);
    if (response !== undefined && (await response.text()) === page) return;
    await sleep(5);
  }
  throw new Error(`${page} was not served on port ${port} in time`);
}

async function lines(command: string, args: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(command, args);
  return stdout.split('\n').filter((line) => line !== '').length;
}

/** What it printed. */
async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd })).stdout;
}
