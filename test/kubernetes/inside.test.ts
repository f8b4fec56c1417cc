import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { ClusterList } from '#core/api/cluster.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import { RunList } from '#core/api/run.ts';
import { connectCluster } from '../../workers/deploy/engines/kubernetes/testing/connect-cluster.ts';
import { readyNode } from '../../workers/deploy/engines/kubernetes/testing/ready-node.ts';
import { runCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { waitUntil } from '../support/windlass.ts';

/** Where nodes and builds get images without a login, and builds push theirs: it has `windlass:1` and `busybox:1.36`. */
const REGISTRY = process.env['WINDLASS_TEST_REGISTRY'] ?? '';
const FOLDER = 'packaging/kubernetes';
const SYSTEM = 'windlass';
const TIMEOUT_MS = 300_000;
const NAMESPACE = `windlass-test-inside-${randomBytes(4).toString('hex')}`;

const CONFIG = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: kubernetes, kubeconfig: in-cluster }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec:
  images: [{ name: web, context: . }]
  deploy: [{ cluster: here, manifests: deploy/ }]
`;
const DOCKERFILE = `FROM ${REGISTRY}/busybox:1.36
RUN mkdir /www && echo hello > /www/index.html
CMD ["sh", "-c", "echo serves; exec httpd -f -p 8080 -h /www"]
`;

/** Pods of a version that is gated are ready once somebody has touched a file in them. */
function manifests(version: string, gate = ''): string {
  return `apiVersion: v1
kind: Namespace
metadata: { name: ${NAMESPACE}, annotations: { windlass.dev/prune: "true" } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: look, namespace: ${NAMESPACE} }
data: { color: green }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: ${NAMESPACE} }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web, version: ${version} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: web
          ${gate}
`;
}

const GATE = 'readinessProbe: { exec: { command: [test, -f, /tmp/go] }, periodSeconds: 1 }';

function kubectl(...args: string[]): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return runProgram({ command: 'kubectl', args, timeoutMs: TIMEOUT_MS, signal });
}

async function whyNot(): Promise<string | undefined> {
  if (REGISTRY === '') return 'WINDLASS_TEST_REGISTRY names no registry';
  if ((await findOnPath('kubectl', process.env['PATH'] ?? '')) === undefined)
    return 'there is no kubectl on this machine';
  const client = await connectCluster();
  const node = await readyNode(client);
  client.close();
  if (node === undefined) return 'the cluster has no node that is ready';
  const namespaces = await kubectl('get', 'namespaces', '--output=name');
  if (namespaces.split('\n').includes(`namespace/${SYSTEM}`))
    return `the cluster has a namespace ${SYSTEM} already`;
  const isDefault = '.metadata.annotations.storageclass\\.kubernetes\\.io/is-default-class';
  const classes = await kubectl(
    'get',
    'storageclasses',
    `--output=jsonpath={.items[*]${isDefault}}`,
  );
  return classes.includes('true') ? undefined : 'the cluster has no default StorageClass';
}

const lack = await whyNot();

describe.sequential('Windlass, run from its manifests', () => {
  let packaging: string;
  let repository: Repository;
  let forward: ChildProcess | undefined;
  let windlass: { url: string; token: string; folder: string };

  beforeAll(async () => {
    if (lack !== undefined) return;
    packaging = await mkdtemp(join(tmpdir(), 'windlass-packaging-'));
    await cp(FOLDER, packaging, { recursive: true });
    await edit('kustomization.yaml', 'registry.example.com', REGISTRY);
    await edit('build-worker.yaml', 'registry.example.com/team', REGISTRY);
    repository = await createRepository();
    await kubectl('apply', '-k', packaging);
    await rolledOut('statefulset/windlass-server');
    const secret = ['create', 'secret', 'generic', 'windlass-worker-token'];
    await inSystem(...secret, `--from-literal=token=${await token('worker')}`);
    await reach(await token('admin'));
  }, TIMEOUT_MS);

  afterAll(async () => {
    if (lack !== undefined) return;
    forward?.kill();
    await repository?.remove();
    // First: it would make again what is deleted.
    await kubectl('delete', '-k', packaging, '--ignore-not-found');
    await kubectl('delete', 'namespace', NAMESPACE, '--ignore-not-found');
    await rm(packaging, { recursive: true, force: true });
  }, TIMEOUT_MS);

  async function reach(adminToken: string): Promise<void> {
    forward?.kill();
    const { url, child } = await forwardServer();
    forward = child;
    windlass = { url, token: adminToken, folder: repository.folder };
  }

  async function edit(file: string, from: string, to: string): Promise<void> {
    const text = await readFile(join(packaging, file), 'utf8');
    await writeFile(join(packaging, file), text.replaceAll(from, to));
  }

  function inSystem(...args: string[]): Promise<string> {
    return kubectl('--namespace', SYSTEM, ...args);
  }

  async function token(whose: 'admin' | 'worker'): Promise<string> {
    const script = `JSON.parse(fs.readFileSync("/state/windlass/tokens.json")).${whose}`;
    const printed = await inSystem('exec', 'windlass-server-0', '--', 'node', '-p', script);
    return printed.trim();
  }

  function rolledOut(workload: string): Promise<string> {
    return inSystem('rollout', 'status', workload, `--timeout=${TIMEOUT_MS / 1_000}s`);
  }

  async function cli(...args: string[]): Promise<string> {
    const { code, out, notes } = await runCli(windlass, args);
    if (code !== 0) throw new Error(`windlass ${args.join(' ')}: ${code} ${out} ${notes}`);
    return out;
  }

  async function push(to: string, ...options: string[]): Promise<string> {
    const remote = `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/${to}.git`;
    const { code, output } = await repository.git('push', ...options, remote, 'main');
    if (code !== 0) throw new Error(output);
    return output;
  }

  async function state(): Promise<ClusterView | undefined> {
    return ClusterList.parse(JSON.parse(await cli('status', '--json'))).clusters[0];
  }

  async function runs(): Promise<RunList['runs']> {
    return RunList.parse(JSON.parse(await cli('runs', '--json'))).runs;
  }

  function pods(version: string): Promise<string> {
    const selector = `--selector=version=${version}`;
    return kubectl('--namespace', NAMESPACE, 'get', 'pods', selector, '--output=name');
  }

  it('has all of its pods ready once the workers have their token', async ({ skip }) => {
    skip(lack !== undefined, lack);
    await rolledOut('statefulset/redis');
    await rolledOut('deployment/windlass-deploy-worker');
    await rolledOut('statefulset/windlass-build-worker');
    const phases = await inSystem('get', 'pods', '--output=jsonpath={.items[*].status.phase}');
    expect(phases).toBe('Running Running Running Running Running');
  });

  it('takes its configuration and a push, builds, and deploys to the cluster that it is in', async ({
    skip,
  }) => {
    skip(lack !== undefined, lack);
    await repository.commit({ 'pipelines/all.yaml': CONFIG });
    await push('config');
    await repository.commit({ Dockerfile: DOCKERFILE, 'deploy/all.yaml': manifests('one') });
    expect(await push('shop')).toMatch(/remote: DEPLOYED shop/);
    expect(await cli('status')).toMatch(/Healthy/);
  });

  it('has one of its deploy workers control the cluster', async ({ skip }) => {
    skip(lack !== undefined, lack);
    const workers = ['--selector=app=windlass-deploy-worker', '--output=name'];
    const names = (await inSystem('get', 'pods', ...workers)).trim().split('\n');
    expect(names).toHaveLength(2);
    expect(names).toContain(`pod/${(await state())?.controller}`);
  });

  it('tells logs and why, and runs commands', async ({ skip }) => {
    skip(lack !== undefined, lack);
    const place = ['-n', NAMESPACE];
    expect(await cli('logs', '-w', 'deployment/web', ...place)).toContain('serves');
    const page = ['wget', '-qO-', 'http://127.0.0.1:8080/'];
    expect(await cli('exec', 'deployment/web', ...place, '--', ...page)).toContain('hello');
    const [pod = ''] = (await pods('one')).trim().split('\n');
    expect(await cli('why', pod.replace('pod/', ''))).toMatch(/web[^]*shop/);
  });

  it('goes on with a rollout when the worker that controls it is killed', async ({ skip }) => {
    skip(lack !== undefined, lack);
    await repository.commit({ 'deploy/all.yaml': manifests('two', GATE) });
    await push('shop', '-o', 'nowait');
    await waitUntil(async () => (await pods('two')) !== '', 'a pod of the new version', TIMEOUT_MS);
    const before = (await state())?.controller ?? '';
    await inSystem('delete', 'pod', before, '--grace-period=0', '--force');
    await waitUntil(
      async () => ![before, undefined].includes((await state())?.controller),
      'another controller',
      TIMEOUT_MS,
    );
    const [pod = ''] = (await pods('two')).trim().split('\n');
    await cli('exec', pod, '-n', NAMESPACE, '--', 'touch', '/tmp/go');
    await waitUntil(
      async () => {
        const all = await runs();
        return all.length === 2 && all[0]?.state === 'succeeded';
      },
      'the run that was under way',
      TIMEOUT_MS,
    );
    await waitUntil(async () => (await pods('one')) === '', 'the end of the old pod', TIMEOUT_MS);
    expect(await pods('two')).toBe(`${pod}\n`);
  });

  it('makes again what somebody deletes', async ({ skip }) => {
    skip(lack !== undefined, lack);
    const look = ['--namespace', NAMESPACE, 'configmap', 'look'];
    const uid = ['get', ...look, '--output=jsonpath={.metadata.uid}'];
    const before = await kubectl(...uid);
    await kubectl('delete', ...look);
    await waitUntil(async () => (await kubectl(...uid)) !== '', 'what was deleted', TIMEOUT_MS);
    expect(await kubectl(...uid)).not.toBe(before);
  });

  it('knows everything again when its server and Redis come back', async ({ skip }) => {
    skip(lack !== undefined, lack);
    await inSystem('delete', 'pod', 'windlass-server-0', 'redis-0');
    await rolledOut('statefulset/redis');
    await rolledOut('statefulset/windlass-server');
    await reach(windlass.token);
    expect((await runs()).map((run) => run.state)).toEqual(['succeeded', 'succeeded']);
    await repository.commit({ 'deploy/all.yaml': manifests('three') });
    expect(await push('shop')).toMatch(/remote: DEPLOYED shop/);
  });
});

/** The Service of the server on a port of this machine, until the process ends. */
async function forwardServer(): Promise<{ url: string; child: ChildProcess }> {
  const words = ['port-forward', 'service/windlass-server', ':80'];
  const child = spawn('kubectl', ['--namespace', SYSTEM, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  // Read for as long as it runs: it writes of each connection.
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  function port(): string | undefined {
    return /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
  }
  await waitUntil(() => Promise.resolve(port() !== undefined), 'kubectl port-forward');
  return { url: `http://127.0.0.1:${port()}`, child };
}
