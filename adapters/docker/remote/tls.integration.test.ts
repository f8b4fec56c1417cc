import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { makeCertificate } from '../../../test/tools/certificate.ts';
import type { Certificate } from '../../../test/tools/certificate.ts';
import { startOwnDockerd } from '../../../test/tools/dockerd.ts';
import type { OwnDockerd } from '../../../test/tools/dockerd.ts';
import { startGate } from '../../../test/tools/gate.ts';
import type { Gate } from '../../../test/tools/gate.ts';
import { freePort } from '../../../test/tools/process.ts';
import { callDocker } from '../call.ts';
import { connectServer } from '../connect-server.ts';
import type { ConnectedServer } from '../connect-server.ts';
import { runInContainer } from '../exec.ts';
import { startInteractive } from '../interactive.ts';
import { events, OPERATIONS, removeContainer, startContainer } from './testing/operations.ts';
import type { Place } from './testing/operations.ts';

const NEVER = new AbortController().signal;
const TLS_PORT = 2376;
const REGISTRY_PORT = 5000;

let folder = '';
let certificate: Certificate;
let stranger: Certificate;
let dockerd: OwnDockerd;
let gate: Gate;
let place: Place;
let connected: ConnectedServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-tls-'));
  certificate = await makeCertificate(join(folder, 'tls'));
  stranger = await makeCertificate(join(folder, 'stranger'));
  const { caFile, certFile, keyFile } = certificate;
  dockerd = await startOwnDockerd(join(folder, 'docker'), undefined, [
    `--host=tcp://127.0.0.1:${TLS_PORT}`,
    '--tlsverify',
    `--tlscacert=${caFile}`,
    `--tlscert=${certFile}`,
    `--tlskey=${keyFile}`,
  ]);
  const path = join(folder, 'tls.sock');
  await dockerd.lead({ path }, { host: '127.0.0.1', port: TLS_PORT });
  const registry = { path: join(folder, 'registry.sock'), port: REGISTRY_PORT };
  await dockerd.lead({ host: '127.0.0.1', port: REGISTRY_PORT }, { path: registry.path });
  gate = await startGate({ path });
  place = { container: await startContainer(dockerd.docker), folder, registry };
});
afterEach(() => {
  for (const { close } of connected) close();
  connected = [];
});
afterAll(async () => {
  await removeContainer(dockerd.docker, place.container);
  await gate.close();
  await dockerd.stop();
  await rm(folder, { recursive: true });
});

interface Change {
  host?: string;
  port?: number;
  ca?: string;
  /** Whose certificate is shown. */
  client?: Pick<Certificate, 'certFile' | 'keyFile'>;
}

function connect({
  host = '127.0.0.1',
  port = gate.address.port,
  ca = certificate.caFile,
  client = certificate,
}: Change = {}): ConnectedServer {
  const server = connectServer(
    {
      docker: `tcp://${host}:${port}`,
      tls: { ca: { file: ca }, cert: { file: client.certFile }, key: { file: client.keyFile } },
    },
    { user: { folder: '/nowhere' }, readSecret: createSecretReader({}) },
  );
  connected.push(server);
  return server;
}

function version({ docker }: ConnectedServer): Promise<{ ApiVersion: string }> {
  return callDocker(docker, { method: 'GET', path: '/version', signal: NEVER });
}

async function listen(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('Docker over TLS', () => {
  it('runs many commands at once to their ends', async () => {
    const { docker } = connect();
    const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
    for (const input of [undefined, Buffer.from('read ')]) {
      const answers = texts.map(async (text) => {
        const command = ['sh', '-c', `cat; echo ${text}; exit 3`];
        const request = { container: place.container, command, ...(input && { input }) };
        const { exitCode, stdout } = await runInContainer(docker, request, NEVER);
        return `${stdout.trim()} ${exitCode}`;
      });
      const expected = texts.map((text) => `${input?.toString() ?? ''}${text} 3`);
      expect(await Promise.all(answers)).toEqual(expected);
    }
  });

  it('runs many sessions at once whose input ends at once', async () => {
    const { docker } = connect();
    async function talk(text: string): Promise<string> {
      const command = ['sh', '-c', `cat; echo ${text}; exit 3`];
      const session = await startInteractive(
        docker,
        { container: place.container, command },
        NEVER,
      );
      session.end();
      let said = '';
      for await (const { data } of session.output) said += Buffer.from(data).toString();
      return `${said.trim()} ${await session.exitCode()}`;
    }
    const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
    expect(await Promise.all(texts.map(talk))).toEqual(texts.map((text) => `${text} 3`));
  });

  it('carries much, whole', async () => {
    const input = Buffer.alloc(20_000_000, 'windlass ');
    const request = { container: place.container, command: ['cat'], input };
    const { stdout } = await runInContainer(connect().docker, request, NEVER);
    expect(input.equals(Buffer.from(stdout))).toBe(true);
  });

  it('ends its connections when it is closed, and does not open another', async () => {
    const server = connect();
    const { ended } = await events(server.docker);
    server.close();
    await Promise.allSettled([ended]);
    await expect(version(server)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it.each(Object.entries(OPERATIONS))(
    'tells of %s that was cut, and goes on over another connection',
    async (_, begin) => {
      const server = connect();
      const { ended } = await begin(server.docker, place);
      gate.shut();
      const [told] = await Promise.allSettled([ended]);
      expect(told).toMatchObject({ reason: { code: 'unavailable', transient: true } });
      await expect(version(server)).rejects.toMatchObject({ code: 'unavailable' });
      gate.open();
      expect(await version(server)).toHaveProperty('ApiVersion');
    },
  );

  it('does not take the end of a connection for the end of a command', async () => {
    const server = connect();
    const { ended } = await begin('a session', server);
    gate.shut();
    gate.open();
    await expect(ended).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('tells of a host that falls silent', async () => {
    const server = connect();
    await version(server);
    const held = gate.hold(/^/);
    const silent = { code: 'timeout', transient: true };
    await Promise.all([
      expect(version(server)).rejects.toMatchObject(silent),
      expect(version(connect())).rejects.toMatchObject(silent),
    ]);
    held.drop();
    expect(await version(server)).toHaveProperty('ApiVersion');
  });

  it('tells where nobody answers', async () => {
    await expect(version(connect({ port: await freePort() }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    const silent = createServer();
    const port = await listen(silent);
    await expect(version(connect({ port }))).rejects.toMatchObject({ code: 'timeout' });
    silent.close();
  });
});

function begin(
  operation: string,
  { docker }: ConnectedServer,
): ReturnType<(typeof OPERATIONS)[string]> {
  const found = OPERATIONS[operation];
  if (found === undefined) throw new Error(`there is no ${operation}`);
  return found(docker, place);
}

describe('certificates', () => {
  it('are checked also where the environment says that none are', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      await expect(version(connect({ ca: stranger.caFile }))).rejects.toMatchObject({
        code: 'unauthorized',
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it.each<[string, () => Change, string]>([
    [
      'a client that another authority vouches for',
      () => ({ client: stranger }),
      'Docker refuses our certificate',
    ],
    [
      'a server that another authority vouches for',
      () => ({ ca: stranger.caFile }),
      "Docker's certificate is not trusted",
    ],
    [
      'a server that has it for another name',
      () => ({ host: '127.1' }),
      "Docker's certificate is not trusted",
    ],
    [
      'a key that belongs to another',
      () => ({ client: { certFile: certificate.certFile, keyFile: stranger.keyFile } }),
      'the certificates for Docker cannot be used',
    ],
    [
      'a file that is none',
      () => ({ ca: join(folder, 'tls', 'openssl.cnf') }),
      "Docker's certificate is not trusted",
    ],
    [
      'a key that is none',
      () => ({ client: { certFile: certificate.certFile, keyFile: certificate.certFile } }),
      'the certificates for Docker cannot be used',
    ],
  ])('refuse %s', async (_, change, message) => {
    await expect(version(connect(change()))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining(message),
      hint: expect.stringContaining('tls.'),
      transient: false,
    });
  });

  it('are told of where they cannot be read', async () => {
    const server = connect({ ca: join(folder, 'nowhere.pem') });
    await expect(version(server)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('are what a port without TLS lacks', async () => {
    const plain = createHttpServer((_, response) => response.end());
    const port = await listen(plain);
    await expect(version(connect({ port }))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('speaks no TLS'),
    });
    plain.close();
  });

  it('count from the next connection on where they were changed', async () => {
    const certFile = join(folder, 'changing.crt');
    await writeFile(certFile, 'not yet');
    const server = connect({ client: { certFile, keyFile: certificate.keyFile } });
    await expect(version(server)).rejects.toMatchObject({ code: 'unauthorized' });
    await writeFile(certFile, await readFile(certificate.certFile));
    expect(await version(server)).toHaveProperty('ApiVersion');
  });
});
