import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createRepository } from '../test/support/repository.ts';
import { startWindlass } from '../test/support/windlass.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const ROUNDS = 7;
const NODE_PORT = 31_792;
const PORT = 8_080;
const PEER_PORT = 8_081;
const TIMEOUT_MS = 60_000;
const ASK_EVERY_MS = 10;
/** Docker forgets that it restarted a container once it has run for 10 s; until then it delays the next restart. */
const QUIET_MS = 11_000;
const SERVE = 'cat /proc/sys/kernel/random/uuid > /www/page; exec httpd -f -h /www -p';
const run = promisify(execFile);

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
  Dockerfile: `FROM busybox:1.36\nRUN mkdir /www\nENTRYPOINT ["sh", "-c"]\nCMD ["${SERVE} ${PORT}"]\n`,
  'deploy/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: web, image: web, ports: [{ containerPort: ${PORT} }], readinessProbe: { httpGet: { path: /page, port: ${PORT} } } }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: ${PORT}, nodePort: ${NODE_PORT} }] }
`,
};

/** From the kill of a pod's container until it is served through the Service again, beside `docker start` of its like. */
export async function killedContainer(): Promise<Figure> {
  const windlass = await startWindlass(CONFIG);
  const repository = await createRepository();
  const peerName = `bench-${windlass.installation}`;
  const times = { ours: [] as number[], peer: [] as number[] };
  try {
    const remote = `${windlass.url.replace('//', `//bench:${windlass.token}@`)}/git/bench.git`;
    await repository.commit(FILES);
    const { output } = await repository.git('push', remote, 'main');
    if (!output.includes('DEPLOYED')) throw new Error(output);
    const container = await partOf('container');
    const sandbox = await partOf('sandbox');
    const { stdout: image } = await docker('inspect', '--format', '{{.Image}}', container);
    const network = `container:${sandbox}`;
    await docker(
      'run',
      '--detach',
      '--name',
      peerName,
      '--network',
      network,
      image,
      `${SERVE} ${PEER_PORT}`,
    );
    const { stdout: address } = await docker(
      'inspect',
      '--format',
      '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
      sandbox,
    );
    const service = `http://127.0.0.1:${NODE_PORT}/page`;
    const peer = `http://${address}:${PEER_PORT}/page`;
    for (let round = 0; round < ROUNDS; round += 1) {
      await sleep(QUIET_MS);
      times.ours.push(await untilServed(service, () => docker('kill', container)));
      await docker('kill', peerName);
      times.peer.push(await untilServed(peer, () => docker('start', peerName)));
    }
  } finally {
    await docker('rm', '--force', peerName).catch(() => undefined);
    await windlass.stop();
    await repository.remove();
  }
  return figure(
    'killed-container',
    times,
    2,
    "`docker kill` of a pod's container until its next process is served through the Service, beside `docker start` of a killed container of the same image in the same pod's network until that serves",
  );

  async function partOf(role: string): Promise<string> {
    const labels = [`installation=${windlass.installation}`, `role=${role}`, 'pod'];
    const filters = labels.flatMap((label) => ['--filter', `label=windlass.dev/${label}`]);
    const { stdout } = await docker('ps', '--quiet', ...filters);
    return stdout;
  }
}

/** Until a page is served that was not there before the command began. The next request waits for none before it. */
async function untilServed(url: string, command: () => Promise<unknown>): Promise<number> {
  const before = await page(url);
  const begun = performance.now();
  const commanded = command();
  let took: number | undefined;
  while (took === undefined) {
    if (performance.now() > begun + TIMEOUT_MS) throw new Error(`${url} was not served in time`);
    void page(url).then((now) => {
      if (now !== undefined && now !== before) took ??= performance.now() - begun;
    });
    await sleep(ASK_EVERY_MS);
  }
  await commanded;
  return took;
}

async function page(url: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(1_000);
    const response = await fetch(url, { headers: { connection: 'close' }, signal });
    return await response.text();
  } catch {
    return undefined;
  }
}

async function docker(...args: string[]): Promise<{ stdout: string }> {
  const { stdout } = await run('docker', args);
  return { stdout: stdout.trim() };
}
