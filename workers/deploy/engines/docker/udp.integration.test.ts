import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, expect, it, vi } from 'vitest';
import { followLogs } from '#adapters/docker/logs.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createDockerCluster, desire, docker, never, settle } from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const FLOWS = 12;
const NODE_PORT = await freeNodePort();
const OTHERS_PORT = await freeNodePort();
const WAIT = { timeout: 30_000, interval: 100 };
const QUESTION = Buffer.from('0000010000010000000000000377686f076578616d706c650000010001', 'hex');

const cluster = createDockerCluster();
const flows: Flow[] = [];
afterAll(async () => {
  for (const { close } of flows) close();
  await cluster.remove();
});

/** One client that asks who answers, again and again. */
interface Flow {
  close: () => void;
  asked: () => number;
  /** Who answered each question; empty: nobody yet. */
  answers: () => string[];
}

async function startFlow(port: number): Promise<Flow> {
  const socket: Socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const answers: string[] = [];
  socket.on('message', (message) => {
    if (message.length > QUESTION.length)
      answers[message.readUInt16BE(0)] = [...message.subarray(-4)].join('.');
  });
  socket.on('error', () => {
    // Nobody listens yet, or any more.
  });
  const timer = setInterval(() => {
    const question = Buffer.from(QUESTION);
    question.writeUInt16BE(answers.push('') - 1, 0);
    socket.send(question);
  }, 50);
  return {
    close: () => {
      clearInterval(timer);
      socket.close();
    },
    asked: () => answers.length,
    answers: () => [...answers],
  };
}

/** A name server that answers with its own address and logs who asks. */
function names(replicas: number, ports: object[], version = '1'): Resource[] {
  const flags = '--keep-in-foreground --user=root --no-resolv --no-hosts --pid-file= --port=5353';
  const logs = '--log-queries=extra --log-facility=-';
  const records = `--interface-name=who.example,eth0 --txt-record=version.example,${version}`;
  const command = `dnsmasq ${flags} ${logs} ${records}`.split(' ');
  const container = { name: 'names', image: SYSTEM_IMAGES.nameServer, command };
  const template = {
    metadata: { labels: { app: 'names' } },
    spec: { terminationGracePeriodSeconds: 1, containers: [container] },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'names' },
      spec: { replicas, selector: { matchLabels: { app: 'names' } }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'names' },
      spec: { type: 'NodePort', selector: { app: 'names' }, ports },
    },
  ];
}

function udp(nodePort: number): object {
  return { name: `n${nodePort}`, port: nodePort, targetPort: 5353, protocol: 'UDP', nodePort };
}

/** Address and port of each client that pods have seen. */
async function peers(): Promise<Set<string>> {
  const seen = new Set<string>();
  for (const { Id } of await cluster.named('names')) {
    for await (const { line } of followLogs(docker, Id, { follow: false }, never)) {
      const peer = / (\S+\/\d+) query/.exec(line)?.[1];
      if (peer !== undefined) seen.add(peer);
    }
  }
  return seen;
}

async function askOnAll(): Promise<void> {
  const before = flows.map(({ asked }) => asked());
  await vi.waitFor(() => {
    for (const [index, flow] of flows.entries())
      expect(
        flow
          .answers()
          .slice(before[index])
          .filter((by) => by !== '').length,
      ).toBeGreaterThan(5);
  }, WAIT);
}

it('keeps flows with their pods when others come, and moves them when theirs go', async () => {
  const engine = cluster.startEngine();
  const ports = [udp(NODE_PORT)];
  await settle(engine, desire(names(2, ports)));
  for (let flow = 0; flow < FLOWS; flow += 1) flows.push(await startFlow(NODE_PORT));
  await askOnAll();
  const seen = await peers();
  expect(seen.size).toBe(FLOWS);

  await settle(engine, desire(names(5, ports)));
  await askOnAll();
  // A worker that starts anew tells nginx nothing either.
  await engine.close();
  const next = cluster.startEngine();
  await settle(next, desire(names(5, ports)));
  await askOnAll();
  for (const flow of flows) expect(new Set(flow.answers().filter((by) => by !== '')).size).toBe(1);
  expect(await peers()).toEqual(seen);

  const old = new Set(flows.flatMap((flow) => flow.answers()));
  await settle(next, desire(names(5, ports, '2')));
  const released = flows.map(({ asked }) => asked());
  await askOnAll();
  const after = flows.flatMap((flow, index) => flow.answers().slice(released[index]));
  expect(after.filter((by) => by !== '' && old.has(by))).toEqual([]);
  await next.close();
}, 120_000);

it('tells of a port that another program has, and serves the others', async () => {
  const other = createSocket('udp4');
  other.bind(OTHERS_PORT);
  await once(other, 'listening');
  const engine = cluster.startEngine();
  const wanted = desire(names(1, [udp(NODE_PORT), udp(OTHERS_PORT)], '2'));
  const status = await settle(engine, wanted, ({ failure }) => failure !== undefined);
  expect(status.failure).toContain(
    `port ${OTHERS_PORT} of UDP is in use by another program on the host`,
  );
  await askOnAll();
  other.close();
}, 120_000);
