import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pMap from 'p-map';
import { pino } from 'pino';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import { discoverKinds } from '#adapters/kubernetes/discovery.ts';
import { applyObject } from '#adapters/kubernetes/objects.ts';
import { parseKubeconfig } from '#adapters/kubernetes/kubeconfig.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import { apiVersionOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createKubernetesEngine } from '../workers/deploy/engines/kubernetes/engine.ts';

const run = promisify(execFile);
const MOST_OUTPUT = 2 ** 28;
const PATIENCE_MS = 1_800_000;
const POLL_MS = 200;
const NEVER = new AbortController().signal;

/** The cluster that KUBECONFIG names, and what is made of it. */
export interface BenchCluster {
  /** Of what is made: a namespace each, which `remove` takes away. */
  namespace(what: string): Promise<string>;
  /** One that knows nothing but what the cluster tells; its requests are counted. */
  startEngine(): CountedEngine;
  installation: string;
  /** Applied by nothing but a request each, so many at once, and none of them put to a dry run before. */
  applyBare(resources: readonly Resource[], atOnce: number): Promise<void>;
  /** As one types it; both outputs. */
  kubectl(...args: string[]): Promise<string>;
  removeNamespace(name: string): Promise<void>;
  remove(): Promise<void>;
}

export interface CountedEngine {
  engine: Engine;
  /** Since the last time it was asked. */
  requests(): number;
  /** Passes until nothing of it is left to be applied. */
  apply(desired: readonly DesiredState[]): Promise<void>;
  /** Passes until everything is as it is wanted, and well. */
  settle(desired: readonly DesiredState[]): Promise<void>;
  /** Until nothing is left of what it has made. */
  clear(): Promise<void>;
}

export async function connectBenchCluster(file: string): Promise<BenchCluster> {
  const access = parseKubeconfig(await readFile(file, 'utf8'), dirname(file), undefined);
  const hand = createKubeClient(access, process.env);
  const id = randomBytes(4).toString('hex');
  const installation = `bench-${id}`;
  const made: string[] = [];
  const hadInventories = await isThere(hand, 'windlass');

  function startEngine(): CountedEngine {
    return countedEngine(createKubeClient(access, process.env), installation);
  }

  async function removeNamespace(name: string): Promise<void> {
    await removeNamespaceOf(hand, name);
  }

  return {
    installation,
    startEngine,
    removeNamespace,
    async namespace(what) {
      const name = `windlass-bench-${id}-${what}`;
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await hand.call({ method: 'POST', path: '/api/v1/namespaces', body }, NEVER);
      made.push(name);
      return name;
    },
    async applyBare(resources, atOnce) {
      const kinds = await discoverKinds(hand, NEVER);
      const options = { fieldManager: installation };
      await pMap(
        resources,
        (resource) => applyObject(hand, kindOf(kinds, resource), resource, options, NEVER),
        { concurrency: atOnce },
      );
    },
    async kubectl(...args) {
      const { stdout, stderr } = await run('kubectl', [`--kubeconfig=${file}`, ...args], {
        maxBuffer: MOST_OUTPUT,
      });
      return stdout + stderr;
    },
    async remove() {
      await Promise.all(made.map(removeNamespace));
      const last = startEngine();
      await last.clear();
      await last.engine.close();
      if (!hadInventories) await removeNamespace('windlass');
      hand.close();
    },
  };
}

/** A kubeconfig, in a folder, of the same cluster from so many milliseconds of a round trip away. */
export async function putAway(
  file: string,
  folder: string,
  roundTripMs: number,
): Promise<{ file: string; stop: () => Promise<void> }> {
  const view = ['config', 'view', '--raw', '--flatten', '--minify', '--output=json'];
  const { stdout } = await run('kubectl', [`--kubeconfig=${file}`, ...view]);
  const { server } = parseKubeconfig(stdout, folder, undefined);
  const { hostname, port } = new URL(server);
  const program = fileURLToPath(new URL('distance-process.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [program, hostname, port === '' ? '443' : port, String(roundTripMs / 2)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const [listening] = (await once(createInterface(child.stdout), 'line')) as [string];
  const away = join(folder, 'kubeconfig');
  const from = `"server": ${JSON.stringify(server)}`;
  const to = `"server": "https://127.0.0.1:${listening}", "tls-server-name": "${hostname}"`;
  await writeFile(away, stdout.replace(from, to), { mode: 0o600 });
  return {
    file: away,
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

export function countedEngine(client: KubeClient, installation: string): CountedEngine {
  let requests = 0;
  const engine = createKubernetesEngine({
    cluster: 'bench',
    installation,
    sealKey: 'k',
    log: pino({ level: 'silent' }),
    client: {
      ...client,
      call(request, signal) {
        requests += 1;
        return client.call(request, signal);
      },
      stream(request, signal) {
        requests += 1;
        return client.stream(request, signal);
      },
    },
  });
  async function passUntil(
    desired: readonly DesiredState[],
    isDone: (owner: OwnerStatus) => boolean,
  ): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const { owners } = await engine.reconcile(desired, signal);
      const failed = owners.find(({ failure }) => failure !== undefined);
      if (failed !== undefined) throw new Error(failed.failure);
      if (owners.every(isDone)) return;
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  function settle(desired: readonly DesiredState[]): Promise<void> {
    return passUntil(desired, ({ serving }) => serving);
  }

  return {
    engine,
    apply: (desired) => passUntil(desired, ({ plan }) => plan.length === 0),
    settle,
    async clear() {
      const { orphans } = await engine.reconcile([], NEVER);
      await settle(orphans.map(({ owner }) => ({ owner, release: '', resources: [] })));
    },
    requests() {
      const since = requests;
      requests = 0;
      return since;
    },
  };
}

async function removeNamespaceOf(hand: KubeClient, name: string): Promise<void> {
  try {
    await hand.call({ method: 'DELETE', path: `/api/v1/namespaces/${name}` }, NEVER);
  } catch (error) {
    if (!isApiStatus(error, 404) && !isApiStatus(error, 409)) throw error;
  }
  const end = performance.now() + PATIENCE_MS;
  while (await isThere(hand, name)) {
    if (performance.now() > end) throw new Error(`namespace ${name} does not go`);
    await sleep(POLL_MS);
  }
}

function kindOf(kinds: readonly ApiKind[], { apiVersion, kind }: Resource): ApiKind {
  const found = kinds.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
  if (found === undefined) throw new Error(`the API server has no ${apiVersion} ${kind}`);
  return found;
}

async function isThere(hand: KubeClient, namespace: string): Promise<boolean> {
  try {
    await hand.call({ method: 'GET', path: `/api/v1/namespaces/${namespace}` }, NEVER);
    return true;
  } catch (error) {
    if (isApiStatus(error, 404)) return false;
    throw error;
  }
}
