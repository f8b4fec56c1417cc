import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnerStatus } from '#core/engine.ts';
import { APPLICATIONS_LABEL, SERVER_LABEL } from '#core/swarm/servers/labels.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startHarnessSwarm } from '../test/harness/swarm.ts';
import type { HarnessSwarm } from '../test/harness/swarm.ts';
import {
  createTestEngine,
  desire,
  settle,
} from '../workers/deploy/engines/swarm/testing/swarm-cluster.ts';
import type { WorkloadEngine } from '../workers/deploy/engines/swarm/engine.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const SERVERS = ['m1', 'w1', 'w2', 'w3'];
const VICTIM = 'w3';
const ROUNDS = 3;
const REPLICAS = 3;
const PORT = 8_080;
const POLL_MS = 100;
const PATIENCE_MS = 180_000;
/** With replicas, and not only the dead server's way out, back in the balance. */
const AFTERWARDS_MS = 3_000;
const MOST_TRAFFIC_SECONDS = 10;
const BARE = 'bare';
const SCRIPT = `hostname > /tmp/index.html; exec httpd -f -p ${PORT} -h /tmp`;
/** Asks as fast as it is answered, and says when each request began by the machine's clock since its start. */
const ASK =
  'while :; do read up _ < /proc/uptime; timeout 5 wget -qO /dev/null http://web/ 2>/dev/null && echo "$up ok" || echo "$up failed"; done';

interface Round {
  ours: number;
  peer: number;
  requests: number;
  failed: number;
  /** Seconds from the kill to the begin of the last request that failed; 0 where none did. */
  last: number;
}

/** From the kill of a server until the last replica runs elsewhere, beside a service of Swarm's own on the same servers. */
export async function deadServer(): Promise<Figure> {
  const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
  const swarm = await startHarnessSwarm(SERVERS, [sandbox, proxy, nameServer]);
  const engine = createTestEngine(swarm.manager.client, {
    connect(name) {
      const server = swarm.servers.find((each) => each.name === name);
      if (server === undefined) throw new Error(`there is no server ${name}`);
      return server.client;
    },
  });
  for (const name of SERVERS)
    await swarm.setNode(name, { Labels: { [APPLICATIONS_LABEL]: 'true', [SERVER_LABEL]: name } });
  const rounds: Round[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await begin(swarm, engine);
      rounds.push(await killOnce(swarm, engine));
      await end(swarm, engine);
    }
  } finally {
    await engine.close();
    await swarm.stop();
  }
  const told = figure(
    'dead-server',
    { ours: rounds.map(({ ours }) => ours), peer: rounds.map(({ peer }) => peer) },
    1.5,
    `the power cut of one of three workers until all ${REPLICAS} replicas of a Deployment are ready on the others, beside a bare service of as many replicas on the same servers until all its tasks run; met where the last request through the Service that failed began within ${MOST_TRAFFIC_SECONDS} s, too`,
  );
  return {
    ...told,
    met: told.met && rounds.every(({ last }) => last <= MOST_TRAFFIC_SECONDS),
    beside: {
      head: ['round', 'ours', 'peer', 'requests', 'failed', 'last failed after, s'],
      rows: rounds.map(({ ours, peer, requests, failed, last }, index) => [
        index + 1,
        Math.round(ours),
        Math.round(peer),
        requests,
        failed,
        last.toFixed(1),
      ]),
    },
  };
}

async function begin(swarm: HarnessSwarm, engine: WorkloadEngine): Promise<void> {
  await settle(engine, desire(resources()), isServing, PATIENCE_MS);
  await swarm.ask('POST', '/services/create', {
    Name: BARE,
    Mode: { Replicated: { Replicas: REPLICAS } },
    TaskTemplate: {
      ContainerSpec: { Image: SYSTEM_IMAGES.sandbox, Command: ['sh', '-c', SCRIPT] },
      Placement: { Constraints: ['node.hostname!=m1'] },
    },
    EndpointSpec: { Mode: 'dnsrr' },
  });
  await until(async () => (await runningOf(swarm, BARE)) === REPLICAS);
}

function isServing({ serving }: OwnerStatus): boolean {
  return serving;
}

async function killOnce(swarm: HarnessSwarm, engine: WorkloadEngine): Promise<Round> {
  const asking = new AbortController();
  const answers = ask(engine, asking.signal);
  await sleep(AFTERWARDS_MS);
  const victim = swarm.servers.find(({ name }) => name === VICTIM);
  const killed = performance.now();
  const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  await victim?.kill();
  const [ours, peer] = await Promise.all([
    untilBack(engine, swarm).then(() => performance.now() - killed),
    until(async () => (await runningOf(swarm, BARE, VICTIM)) === REPLICAS).then(
      () => performance.now() - killed,
    ),
  ]);
  await sleep(AFTERWARDS_MS);
  asking.abort();
  const all = (await answers).map((line) => ({
    seconds: Number(line.split(' ')[0]) - uptime,
    isFailed: line.endsWith('failed'),
  }));
  const failed = all.filter(({ isFailed }) => isFailed);
  return {
    ours,
    peer,
    requests: all.length,
    failed: failed.length,
    last: Math.max(0, ...failed.map(({ seconds }) => seconds)),
  };
}

/** What it prints, a line for each request; its end is a request cut off. */
async function ask(engine: WorkloadEngine, signal: AbortSignal): Promise<string[]> {
  const place = await engine.locate(
    { namespace: 'default', workload: 'Deployment/default/client' },
    signal,
  );
  const session = await engine.exec(place, { command: ['sh', '-c', ASK] }, signal);
  let text = '';
  try {
    for await (const { data } of session.output) text += Buffer.from(data).toString();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return text.split('\n').slice(0, -1);
}

/** As the engine tells it, once Swarm has none on the dead server any more. */
async function untilBack(engine: WorkloadEngine, swarm: HarnessSwarm): Promise<void> {
  const service = await nameOf(swarm, 'web-');
  await until(async () => {
    const { owners } = await engine.reconcile(
      [desire(resources())],
      AbortSignal.timeout(PATIENCE_MS),
    );
    return (await runningOf(swarm, service, VICTIM)) === REPLICAS && owners[0]?.serving === true;
  });
}

async function end(swarm: HarnessSwarm, engine: WorkloadEngine): Promise<void> {
  await swarm.servers.find(({ name }) => name === VICTIM)?.start();
  await until(async () => {
    const nodes = await swarm.ask<{ Status: { State: string } }[]>('GET', '/nodes');
    return nodes.every(({ Status }) => Status.State === 'ready');
  });
  await swarm.ask('DELETE', `/services/${BARE}`);
  await settle(engine, desire([]), isServing, PATIENCE_MS);
}

async function nameOf(swarm: HarnessSwarm, begin: string): Promise<string> {
  const services = await swarm.ask<{ Spec: { Name: string } }[]>('GET', '/services');
  return services.find(({ Spec }) => Spec.Name.startsWith(begin))?.Spec.Name ?? '';
}

/** Tasks that run, as far as Swarm knows; it does not know at once which server is dead. */
async function runningOf(swarm: HarnessSwarm, service: string, dead?: string): Promise<number> {
  const filters = JSON.stringify({ service: [service] });
  const [tasks, nodes] = await Promise.all([
    swarm.ask<{ NodeID: string; DesiredState: string; Status: { State: string } }[]>(
      'GET',
      '/tasks',
      undefined,
      { filters },
    ),
    swarm.ask<{ ID: string; Description: { Hostname: string } }[]>('GET', '/nodes'),
  ]);
  const gone = nodes.find(({ Description }) => Description.Hostname === dead)?.ID;
  return tasks.filter(
    ({ NodeID, DesiredState, Status }) =>
      DesiredState === 'running' && Status.State === 'running' && NodeID !== gone,
  ).length;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('the fleet did not come to it in time');
    await sleep(POLL_MS);
  }
}

function resources(): Resource[] {
  return [
    deployment('web', REPLICAS, 'NotIn', {
      command: ['sh', '-c', SCRIPT],
      readinessProbe: { httpGet: { port: PORT }, periodSeconds: 1 },
    }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: PORT }] },
    },
    deployment('client', 1, 'In', { command: ['sleep', '86400'] }),
  ];
}

function deployment(
  name: string,
  replicas: number,
  operator: 'In' | 'NotIn',
  container: object,
): Resource {
  const labels = { app: name };
  const expression = { key: 'kubernetes.io/hostname', operator, values: ['m1'] };
  const nodeSelectorTerms = [{ matchExpressions: [expression] }];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          affinity: { nodeAffinity: required },
          containers: [{ name: 'main', image: SYSTEM_IMAGES.sandbox, ...container }],
        },
      },
    },
  };
}
