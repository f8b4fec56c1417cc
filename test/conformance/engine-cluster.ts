import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import { messageOf } from '#core/errors.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { ConformanceCluster, ContainerPlace } from './cluster.ts';

const COMMAND_MS = 15_000;
const RETRY_MS = 500;

/** What is outside of an engine: who asks from its host, what a registry has, what is taken of manifests. */
export type Surroundings = Omit<
  ConformanceCluster,
  'apply' | 'status' | 'run' | 'logs' | 'ask' | 'askUdp'
> & {
  /** The body that a port of the host answers. */
  get: (port: number, path: string) => Promise<string>;
  exchange: (port: number, datagram: Uint8Array) => Promise<string>;
  close: () => Promise<void>;
};

type RunsWorkloads = Omit<Engine, 'planServers' | 'recover'>;

/** An engine with passes as the controller makes them. */
export function startEngineCluster(
  engine: RunsWorkloads,
  { get, exchange, close, ...others }: Surroundings,
): ConformanceCluster & { remove(): Promise<void> } {
  const stop = new AbortController();
  const desired = new Map<string, DesiredState>();
  const statuses = new Map<string, { of: DesiredState; status: OwnerStatus }>();
  let wake = new AbortController();
  const running = Promise.all([engine.watch(() => wake.abort(), stop.signal), makePasses()]);

  async function makePasses(): Promise<void> {
    while (!stop.signal.aborted) {
      const { signal } = (wake = new AbortController());
      const pauseMs = await makePass();
      const ends = AbortSignal.any([signal, stop.signal]);
      await sleep(pauseMs, undefined, { signal: ends }).catch(() => undefined);
    }
  }

  async function makePass(): Promise<number> {
    const wanted = [...desired.values()];
    try {
      const { owners, wakeAfterMs } = await engine.reconcile(wanted, stop.signal);
      for (const status of owners) {
        const of = wanted.find(({ owner }) => owner === status.owner);
        if (of !== undefined) statuses.set(status.owner, { of, status });
      }
      return wakeAfterMs;
    } catch (error) {
      // oxlint-disable-next-line no-console -- a test that waits in vain does not say why
      if (!stop.signal.aborted) console.error(`a pass failed: ${messageOf(error)}`);
      return RETRY_MS;
    }
  }

  function nodePort(owner: string, service: string): number {
    const key = `Service/${owner}/${service}`;
    const status = statuses.get(owner)?.status;
    const summary = status?.resources.find((each) => each.key === key)?.summary;
    return Number(/:(\d{5})/.exec(summary ?? '')?.[1]);
  }

  return {
    apply(owner: string, resources: readonly Resource[]) {
      desired.set(owner, { owner, release: 'r1', resources });
      wake.abort();
    },
    status(owner) {
      const seen = statuses.get(owner);
      return seen !== undefined && seen.of === desired.get(owner) ? seen.status : undefined;
    },
    run: (place, command) => runIn(engine, place, command),
    async logs(place) {
      const lines: string[] = [];
      const target = { ...place, workload: keyOf(place) };
      for await (const { line } of engine.logs(target, { follow: false }, stop.signal))
        lines.push(line);
      return lines.join('\n');
    },
    ask: (owner, service, path) => get(nodePort(owner, service), path),
    askUdp: (owner, service, datagram) => exchange(nodePort(owner, service), datagram),
    ...others,
    async remove() {
      stop.abort(new Error('the tests are over'));
      await running;
      await close();
    },
  };
}

async function runIn(
  engine: RunsWorkloads,
  place: ContainerPlace,
  command: readonly string[],
): Promise<{ exitCode: number; output: string }> {
  const signal = AbortSignal.timeout(COMMAND_MS);
  const { namespace, container } = place;
  const target = { namespace, workload: keyOf(place), container };
  const session = await engine.exec(
    await engine.locate(target, signal),
    { command: [...command] },
    signal,
  );
  session.end();
  const output: Uint8Array[] = [];
  for await (const { data } of session.output) output.push(data);
  signal.throwIfAborted();
  return { exitCode: await session.exitCode(), output: Buffer.concat(output).toString() };
}

function keyOf({ namespace, workload }: ContainerPlace): string {
  const [kind, name] = workload.split('/');
  return `${kind}/${namespace}/${name}`;
}
