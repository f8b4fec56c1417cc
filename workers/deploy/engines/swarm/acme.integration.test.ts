import { once } from 'node:events';
import type { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createHarness } from '../../../../test/harness/servers.ts';
import type { HarnessServer } from '../../../../test/harness/server.ts';
import type { Harness } from '../../../../test/harness/servers.ts';
import { startAcmeServer } from '../../../../test/tools/acme-server.ts';
import type { AcmeServer } from '../../../../test/tools/acme-server.ts';
import type { WorkloadEngine } from './engine.ts';
import { createTestEngine, desire, joinSwarm, never, settle } from './testing/swarm-cluster.ts';

const NAMES = ['m1', 'm2', 'm3'];
/** Where the ACME server looks for the hosts: nobody else has port 80 there. */
const ADDRESS = '127.78.0.1';
const HOSTS = ['a.test', 'b.test', 'c.test'];
const INSTALLATION = 'acmetest';
const HTTPS_PORT = 443;
const CONNECTS_MS = 10_000;
/** Of servers beside which the machine has other things to do. */
const PATIENCE_MS = 180_000;
const HOUR_MS = 3_600_000;

const folder = await mkdtemp(join(tmpdir(), 'windlass-swarm-acme-'));
/** Which of the edges the ACME server is led to; all in turn, as where DNS names them all. */
let doors: readonly string[] = NAMES;
let turn = 0;
/** Who was asked. */
const asked = new Set<string>();
const door = createServer((socket) => {
  turn += 1;
  const name = doors[turn % doors.length] ?? '';
  asked.add(name);
  const edge = connect(pathOf(name, 80));
  for (const [one, other] of [
    [socket, edge],
    [edge, socket],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
  socket.pipe(edge).pipe(socket);
});

let harness: Harness;
let acme: AcmeServer;
let engine: WorkloadEngine;

beforeAll(async () => {
  acme = await startAcmeServer(
    join(folder, 'acme'),
    Object.fromEntries(HOSTS.map((host) => [host, ADDRESS])),
  );
  door.listen(80, ADDRESS);
  await once(door, 'listening');
  harness = await createHarness(NAMES);
  const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
  await Promise.all(harness.servers.map((server) => server.start()));
  await Promise.all(harness.servers.map((server) => server.load([sandbox, proxy, nameServer])));
  for (const { name, address } of harness.servers)
    for (const port of [80, HTTPS_PORT])
      await harness.network.lead({ path: pathOf(name, port) }, { host: address, port });
  await joinSwarm(serverOf('m1'), [], harness.servers.slice(1));
  engine = startEngine('m1');
}, PATIENCE_MS);
afterAll(async () => {
  vi.useRealTimers();
  await engine?.close();
  door.close();
  await acme?.stop();
  await harness?.stop();
  await rm(folder, { recursive: true });
});

/** Until the managers that are left have another leader. */
async function untilLed(): Promise<void> {
  const request = { method: 'GET', path: '/nodes', signal: never } as const;
  await vi.waitFor(() => callDocker(serverOf('m2').client, request), PATIENCE_MS);
}

function pathOf(name: string, port: number): string {
  return join(folder, `${name}-${port}.sock`);
}

function serverOf(name: string): HarnessServer {
  const found = harness.servers.find((server) => server.name === name);
  if (found === undefined) throw new Error(`there is no server ${name}`);
  return found;
}

/** Of a worker of the same installation, by way of that manager. */
function startEngine(manager: string): WorkloadEngine {
  return createTestEngine(serverOf(manager).client, {
    installation: INSTALLATION,
    issuers: [{ name: 'caddy', server: acme.directory, ca: acme.root }],
    connect: (name) => serverOf(name).client,
  });
}

/** An Ingress for each host, which has the name of that. */
function ingress(...hosts: string[]): DesiredState {
  const annotations = { 'cert-manager.io/cluster-issuer': 'caddy' };
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };
  return desire(
    hosts.map((host): Resource => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: host, annotations },
      spec: { rules: [{ host, http }], tls: [{ hosts: [host], secretName: `tls-${host}` }] },
    })),
  );
}

function isHealthy(host: string): (status: OwnerStatus) => boolean {
  return ({ resources }) =>
    resources.find(({ key }) => key === `Ingress/default/${host}`)?.health.status === 'Healthy';
}

/** What the edge there shows a client who trusts only the ACME server's authority. */
async function shown(name: string, host: string): Promise<X509Certificate> {
  const socket = connectTls({
    path: pathOf(name, HTTPS_PORT),
    servername: host,
    ca: acme.root,
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(CONNECTS_MS) });
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('no certificate was shown');
    return certificate;
  } finally {
    socket.destroy();
  }
}

/** Passes until each of these edges shows one certificate for the host; answers its serial number. */
async function untilShown(desired: DesiredState, host: string, names = NAMES): Promise<string> {
  let serials: string[] = [];
  await vi.waitFor(
    async () => {
      await engine.reconcile([desired], never);
      const found = await Promise.all(names.map((name) => shown(name, host)));
      serials = [...new Set(found.map(({ serialNumber }) => serialNumber))];
      expect(serials).toHaveLength(1);
    },
    { timeout: PATIENCE_MS, interval: 500 },
  );
  return serials.join();
}

describe.sequential('certificates by ACME of a fleet', { timeout: 2 * PATIENCE_MS }, () => {
  it('are had whichever edge is asked, and all edges have them', async () => {
    for (const [index, name] of ['m2', 'm3'].entries()) {
      doors = [name];
      const desired = ingress(...HOSTS.slice(0, index + 1));
      await settle(engine, desired, isHealthy(HOSTS[index] ?? ''), PATIENCE_MS);
      await untilShown(desired, HOSTS[index] ?? '');
    }
    expect([...asked].toSorted()).toEqual(['m2', 'm3']);
  });

  it('are renewed, at all edges', async () => {
    const desired = ingress('a.test', 'b.test');
    doors = NAMES;
    const before = await untilShown(desired, 'a.test');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 9 * HOUR_MS });
    await vi.waitFor(async () => expect(await untilShown(desired, 'a.test')).not.toBe(before), {
      timeout: PATIENCE_MS,
      interval: 500,
    });
    vi.useRealTimers();
  });

  it('are lost with no server, the leader neither, and a new one is had without it', async () => {
    const desired = ingress('a.test', 'b.test');
    const left = ['m2', 'm3'];
    doors = left;
    const before = await untilShown(desired, 'a.test');
    await engine.close();
    await serverOf('m1').kill();
    // No worker runs now.
    for (const name of left) expect((await shown(name, 'a.test')).serialNumber).toBe(before);
    engine = startEngine('m2');
    await untilLed();
    expect(await untilShown(desired, 'a.test', left)).toBe(before);
    const more = ingress(...HOSTS);
    await settle(engine, more, isHealthy('c.test'), PATIENCE_MS);
    const last = await untilShown(more, 'c.test', left);
    await serverOf('m1').start();
    expect(await untilShown(more, 'a.test')).toBe(before);
    expect(await untilShown(more, 'c.test')).toBe(last);
  });
});
