import { createPublicKey } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startAcmeServer } from '../../../../test/tools/acme-server.ts';
import type { AcmeServer } from '../../../../test/tools/acme-server.ts';
import {
  ask,
  createDockerCluster,
  desire,
  execIn,
  firstOf,
  settle,
} from './testing/docker-cluster.ts';

/** Where the ACME server looks for the hosts: nobody else has port 80 there. */
const ADDRESS = '127.77.0.1';
const HOSTS = ['a.test', 'b.test', 'c.test', 'd.test', 'www.d.test'];
const ISSUED_MS = 60_000;
const HOUR_MS = 3_600_000;

const cluster = createDockerCluster();
const { httpPort, httpsPort } = cluster.ingress;
const folder = await mkdtemp(join(tmpdir(), 'windlass-acme-'));
/** Port 80 as the ACME server sees it, which may be cut off. */
const door = createDoor();
let acme: AcmeServer;
let engine: Engine;

beforeAll(async () => {
  acme = await startAcme();
  await door.open();
  engine = startEngine();
}, 120_000);
afterAll(async () => {
  vi.useRealTimers();
  await cluster.remove();
  await acme.stop();
  door.close();
  await rm(folder, { recursive: true });
});

function startAcme(port?: number): Promise<AcmeServer> {
  return startAcmeServer(folder, Object.fromEntries(HOSTS.map((host) => [host, ADDRESS])), port);
}

function startEngine(): Engine {
  return cluster.startEngine({
    issuers: [{ name: 'caddy', server: acme.directory, ca: acme.root }],
  });
}

function createDoor(): { open(): Promise<void>; cut(isCut: boolean): void; close(): void } {
  let isCut = false;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const edge = connect(httpPort, '127.0.0.1');
    for (const each of [socket, edge]) {
      sockets.add(each);
      each.on('error', () => each.destroy());
      each.on('close', () => sockets.delete(each));
    }
    if (!isCut) socket.pipe(edge).pipe(socket);
  });
  return {
    async open() {
      server.listen(80, ADDRESS);
      await once(server, 'listening');
    },
    cut(cut) {
      isCut = cut;
      for (const socket of sockets) socket.destroy();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** An Ingress for each host, which has the name of that. */
function ingress(...all: string[]): DesiredState {
  const annotations = { 'cert-manager.io/cluster-issuer': 'caddy' };
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };
  const resources = all.map((name): Resource => {
    const hosts = name === 'd.test' ? [name, `www.${name}`] : [name];
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, annotations },
      spec: {
        rules: hosts.map((host) => ({ host, http })),
        tls: [{ hosts, secretName: `tls-${name}` }],
      },
    };
  });
  return desire(resources);
}

function healthOf({ resources }: OwnerStatus, host: string): { status: string; reason: string } {
  const found = resources.find(({ key }) => key === `Ingress/default/${host}`);
  return found?.health ?? { status: 'absent', reason: '' };
}

function untilHealthy(host: string): (status: OwnerStatus) => boolean {
  return (status) => healthOf(status, host).status === 'Healthy';
}

/** The certificate that a client is shown who trusts only that authority; throws as it does. */
async function shown(host: string, ca: string): Promise<X509Certificate> {
  const socket = connectTls({ port: httpsPort, host: '127.0.0.1', servername: host, ca });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) });
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('no certificate was shown');
    return certificate;
  } finally {
    socket.destroy();
  }
}

/** What the edge has of files whose names match. */
async function edgeFiles(pattern: string): Promise<string> {
  const { Id } = firstOf(await cluster.parts('proxy-sandbox'));
  return execIn(Id, 'sh', '-c', `cd /windlass/edge; cat ${pattern} 2>/dev/null || true`);
}

describe.sequential('certificates by ACME', () => {
  it('are had and served', async () => {
    await settle(engine, ingress('a.test'), untilHealthy('a.test'), ISSUED_MS);
    const certificate = await shown('a.test', acme.root);
    expect(certificate.subjectAltName).toBe('DNS:a.test');
    await expect(ask(httpPort, '/.well-known/acme-challenge/x')).resolves.toContain('404');
  }, 90_000);

  it('are not asked for anew by another worker, nor for an Ingress that was put back', async () => {
    const certificate = await shown('a.test', acme.root);
    const { serialNumber } = certificate;
    expect(await edgeFiles('tls-*')).toContain(certificate.toString().trim());
    await engine.close();
    engine = startEngine();
    await settle(engine, ingress('a.test'), untilHealthy('a.test'));
    expect((await shown('a.test', acme.root)).serialNumber).toBe(serialNumber);
    await settle(engine, ingress('b.test'), untilHealthy('b.test'), ISSUED_MS);
    await expect(shown('a.test', acme.root)).rejects.toThrow(/unrecognized name/);
    expect(await edgeFiles('tls-*')).not.toContain(certificate.toString().trim());
    await settle(engine, ingress('a.test', 'b.test'), untilHealthy('a.test'));
    expect((await shown('a.test', acme.root)).serialNumber).toBe(serialNumber);
  }, 90_000);

  it('are ordered by the next worker where one ended in the middle', async () => {
    door.cut(true);
    const desired = ingress('a.test', 'c.test');
    await settle(engine, desired, (status) => healthOf(status, 'c.test').status === 'Progressing');
    await expect.poll(() => edgeFiles('acme-*'), { timeout: 20_000 }).toContain('"order"');
    const { key } = JSON.parse(/"order":(\{[^}]*\})/.exec(await edgeFiles('acme-*'))?.[1] ?? '{}');
    await engine.close();
    door.cut(false);
    engine = startEngine();
    await settle(engine, desired, untilHealthy('c.test'), ISSUED_MS);
    const { publicKey } = await shown('c.test', acme.root);
    expect(publicKey.equals(createPublicKey(String(key)))).toBe(true);
  }, 120_000);

  it('are renewed in time', async () => {
    const { serialNumber } = await shown('a.test', acme.root);
    const desired = ingress('a.test');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7 * HOUR_MS });
    await settle(engine, desired, untilHealthy('a.test'));
    expect((await shown('a.test', acme.root)).serialNumber).toBe(serialNumber);
    vi.setSystemTime(Date.now() + 2 * HOUR_MS);
    await expect
      .poll(
        async () => {
          await settle(engine, desired);
          return (await shown('a.test', acme.root)).serialNumber;
        },
        { timeout: ISSUED_MS },
      )
      .not.toBe(serialNumber);
    vi.useRealTimers();
  }, 90_000);

  it('are told of in the words of the server where it refuses', async () => {
    const status = await settle(
      engine,
      ingress('nowhere.test'),
      (seen) => seen.serving && healthOf(seen, 'nowhere.test').status === 'Degraded',
    );
    expect(healthOf(status, 'nowhere.test').reason).toMatch(
      /^spec\.tls\[0\]: no certificate of caddy: nowhere\.test: The server could not connect/,
    );
  }, 90_000);

  it('are told of where the server is away, while the internal CA serves', async () => {
    await acme.stop();
    const desired = ingress('a.test', 'd.test');
    const status = await settle(
      engine,
      desired,
      (seen) => seen.serving && healthOf(seen, 'd.test').status === 'Degraded',
    );
    expect(healthOf(status, 'a.test').status).toBe('Healthy');
    expect(healthOf(status, 'd.test').reason).toMatch(
      /^spec\.tls\[0\]: no certificate of caddy: .*ECONNREFUSED.*; asked again at .* UTC, the internal CA's is served$/,
    );
    const own = await ask(httpPort, '/.well-known/windlass/ca.pem');
    expect((await shown('www.d.test', own)).subjectAltName).toContain('DNS:d.test');
    acme = await startAcme(Number(new URL(acme.directory).port));
    await settle(engine, desired, untilHealthy('d.test'), ISSUED_MS);
    expect((await shown('www.d.test', acme.root)).subjectAltName).toContain('DNS:d.test');
  }, 90_000);
});
