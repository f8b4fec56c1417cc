import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createRepository } from '../test/support/repository.ts';
import { startWindlass, waitUntil } from '../test/support/windlass.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

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
docker build -q -t "$1" .
docker push -q "$1"
docker rm -f "$2" 2> /dev/null || true
docker run -d --name "$2" -p ${PEER_PORT}:8080 "$1"
`,
};

/** From `git push` until the new page is served, beside a shell script of the bare Docker commands. */
export async function pushToServing(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const repository = await createRepository();
  const container = `bench-${windlass.installation}`;
  const times = { ours: [] as number[], peer: [] as number[] };
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
      times.ours.push(await ours(page));
      // The cache of the one must not serve the other.
      await repository.commit({ page: `${page} of the script` });
      times.peer.push(await peer(`${page} of the script`));
    }
  } finally {
    await run('docker', ['rm', '-f', container], repository.folder).catch(() => undefined);
    await windlass.stop();
    await repository.remove();
  }
  return figure(
    'push-to-serving',
    times,
    2,
    'a one-file change: `git push` until the new page is served through the Service, beside `docker build`, `docker push`, `docker run` in a shell script until its port serves it',
  );

  async function ours(page: string): Promise<number> {
    const begun = performance.now();
    const pushing = repository.git('push', 'windlass', 'main');
    await served(NODE_PORT, page);
    const took = performance.now() - begun;
    const { output } = await pushing;
    if (!output.includes('DEPLOYED')) throw new Error(output);
    await oldPodIsGone();
    return took;
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

  async function peer(page: string): Promise<number> {
    const begun = performance.now();
    await run(
      'sh',
      ['deploy.sh', `${windlass.registry}/bench-peer:${begun.toFixed(0)}`, container],
      repository.folder,
    );
    await served(PEER_PORT, page);
    return performance.now() - begun;
  }
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

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const errors: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args[0]}: ${errors.join('')}`);
}
