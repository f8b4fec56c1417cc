import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile, copyFile, chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { startGate } from '../../../test/tools/gate.ts';
import type { Gate } from '../../../test/tools/gate.ts';
import { freePort } from '../../../test/tools/process.ts';
import { startSshServer } from '../../../test/tools/sshd.ts';
import type { SshServer } from '../../../test/tools/sshd.ts';
import { callDocker } from '../call.ts';
import { connectDocker } from '../connect.ts';
import { connectServer } from '../connect-server.ts';
import type { ConnectedServer } from '../connect-server.ts';
import { runInContainer } from '../exec.ts';
import { events, OPERATIONS, removeContainer, startContainer } from './testing/operations.ts';

const here = connectDocker('unix:///var/run/docker.sock');
const NEVER = new AbortController().signal;

let folder = '';
let sshd: SshServer;
let gate: Gate;
let container = '';
let connected: ConnectedServer[] = [];
let connections = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-ssh-'));
  sshd = await startSshServer(join(folder, 'sshd'));
  gate = await startGate({ host: '127.0.0.1', port: sshd.port });
  gate.inspect((request) => {
    if (request.startsWith('SSH-2.0')) connections += 1;
    return 'pass';
  });
  container = await startContainer(here);
});
afterEach(() => {
  for (const { close } of connected) close();
  connected = [];
  connections = 0;
});
afterAll(async () => {
  await removeContainer(here, container);
  await gate.close();
  await sshd.stop();
  await rm(folder, { recursive: true });
});

interface Change {
  port?: number;
  path?: string;
  key?: string;
  /** For the port of the server itself. */
  knownHosts?: string;
}

function connect({
  port = gate.address.port,
  path = '',
  key = sshd.privateKey,
  knownHosts = sshd.knownHosts,
}: Change = {}): ConnectedServer {
  const readSecret = createSecretReader({
    KEY: key,
    HOSTS: knownHosts.replaceAll(`:${sshd.port}`, `:${port}`),
  });
  const server = connectServer(
    {
      docker: `ssh://root@127.0.0.1:${port}${path}`,
      ssh: { key: { env: 'KEY' }, knownHosts: { env: 'HOSTS' } },
    },
    { user: { folder: '/nowhere' }, readSecret },
  );
  connected.push(server);
  return server;
}

function version({ docker }: ConnectedServer): Promise<{ ApiVersion: string }> {
  return callDocker(docker, { method: 'GET', path: '/version', signal: NEVER });
}

async function echo(server: ConnectedServer, text: string, input?: string): Promise<string> {
  const command = ['sh', '-c', `cat; echo ${text}; exit 3`];
  const request = {
    container,
    command,
    ...(input === undefined ? {} : { input: Buffer.from(input) }),
  };
  const { exitCode, stdout } = await runInContainer(server.docker, request, NEVER);
  return `${stdout.trim()} ${exitCode}`;
}

describe('Docker over ssh', () => {
  it('answers, and many at once over one connection', async () => {
    const server = connect();
    const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
    const answers = texts.map((text, index) =>
      echo(server, text, index % 2 === 0 ? undefined : 'read '),
    );
    const expected = texts.map((text, index) => `${index % 2 === 0 ? '' : 'read '}${text} 3`);
    expect(await Promise.all(answers)).toEqual(expected);
    expect(connections).toBe(1);
  });

  it('carries much, whole', async () => {
    const input = Buffer.alloc(20_000_000, 'windlass ');
    const request = { container, command: ['cat'], input };
    const { stdout } = await runInContainer(connect().docker, request, NEVER);
    expect(input.equals(Buffer.from(stdout))).toBe(true);
  });

  it('ends its connection when it is closed, and does not open another', async () => {
    const server = connect();
    await version(server);
    server.close();
    await expect(version(server)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it.each(Object.entries(OPERATIONS))(
    'tells of %s that was cut, and goes on over another connection',
    async (_, begin) => {
      const server = connect();
      const { ended } = await begin(server.docker, { container, folder });
      gate.shut();
      const [told] = await Promise.allSettled([ended]);
      expect(told).toMatchObject({ reason: { code: 'unavailable', transient: true } });
      await expect(version(server)).rejects.toMatchObject({ code: 'unavailable' });
      gate.open();
      expect(await version(server)).toHaveProperty('ApiVersion');
    },
  );

  it('takes a host that falls silent for gone', async () => {
    const server = connect();
    const { ended } = await events(server.docker);
    const held = gate.hold(/^/);
    await Promise.all([
      expect(ended).rejects.toMatchObject({ code: 'unavailable' }),
      expect(version(connect())).rejects.toMatchObject({ code: 'timeout', transient: true }),
    ]);
    held.drop();
    expect(await version(server)).toHaveProperty('ApiVersion');
  });

  it('tells where nobody answers', async () => {
    await expect(version(connect({ port: await freePort() }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
      transient: true,
    });
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await expect(version(connect({ port }))).rejects.toMatchObject({ code: 'timeout' });
    silent.close();
  });
});

describe('the host key', () => {
  it('is refused where it is not known, with what was shown', async () => {
    await expect(version(connect({ knownHosts: '# none yet' }))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringMatching(/is not known \(\S+ SHA256:/),
      hint: expect.stringContaining('ssh-keyscan'),
    });
  });

  it('is refused where another is known', async () => {
    const other = await startSshServer(join(folder, 'other'));
    await other.stop();
    const knownHosts = other.knownHosts.replace(`:${other.port}`, `:${sshd.port}`);
    const server = connect({ knownHosts });
    await expect(version(server)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('is another than is known'),
    });
  });

  it('is refused where it was revoked', async () => {
    const knownHosts = `${sshd.knownHosts}@revoked * ${sshd.knownHosts.split(' ').slice(1).join(' ')}`;
    await expect(version(connect({ knownHosts }))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('was revoked'),
    });
  });
});

describe('the login', () => {
  it('is told of where the host refuses it, and not tried again at once', async () => {
    const other = await startSshServer(join(folder, 'stranger'));
    await other.stop();
    const server = connect({ key: other.privateKey });
    for (const _ of [1, 2]) {
      await expect(version(server)).rejects.toMatchObject({
        code: 'unauthorized',
        message: expect.stringContaining('does not let us log in'),
      });
    }
    expect(connections).toBe(1);
  });

  it('tells of a key that is none', async () => {
    await expect(version(connect({ key: 'nonsense' }))).rejects.toMatchObject({
      code: 'invalid-input',
      hint: expect.stringContaining('passphrase'),
    });
  });

  it('is made with what the user has: an agent, or a key in ~/.ssh, and known hosts', async () => {
    const user = join(folder, 'user', '.ssh');
    await mkdir(user, { recursive: true });
    await writeFile(join(user, 'known_hosts'), sshd.knownHosts);
    const agent = join(folder, 'agent');
    const environment = { ...process.env, PATH: sshd.path, SSH_AUTH_SOCK: agent };
    const running = spawn('ssh-agent', ['-D', '-a', agent], { env: environment });
    await once(running.stdout, 'data');
    await promisify(execFile)('ssh-add', [sshd.keyFile], { env: environment });
    function asUser(withAgent: boolean): ConnectedServer {
      const server = connectServer(
        { docker: `ssh://root@127.0.0.1:${sshd.port}` },
        {
          user: { folder: user, ...(withAgent ? { agent } : {}) },
          readSecret: createSecretReader({}),
        },
      );
      connected.push(server);
      return server;
    }
    await expect(version(asUser(false))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('nothing to log in with'),
    });
    expect(await version(asUser(true))).toHaveProperty('ApiVersion');
    running.kill();
    await copyFile(sshd.keyFile, join(user, 'id_ed25519'));
    await chmod(join(user, 'id_ed25519'), 0o600);
    expect(await version(asUser(false))).toHaveProperty('ApiVersion');
  });
});

it('needs no command on the host', async () => {
  const strict = await startSshServer(join(folder, 'commandless'), [
    'ForceCommand /nowhere/at/all',
  ]);
  const { port, privateKey: key } = strict;
  const knownHosts = strict.knownHosts.replace(`:${port}`, `:${sshd.port}`);
  expect(await version(connect({ port, key, knownHosts }))).toHaveProperty('ApiVersion');
  await strict.stop();
});

describe('a host that does not lead to Docker', () => {
  it('is told of where the socket is not there', async () => {
    await expect(version(connect({ path: '/nowhere/docker.sock' }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('/nowhere/docker.sock'),
      hint: expect.stringContaining('AllowStreamLocalForwarding'),
    });
  });

  it('is told of where the ssh server forbids it', async () => {
    const strict = await startSshServer(join(folder, 'strict'), ['AllowStreamLocalForwarding no']);
    const { port, privateKey: key } = strict;
    const knownHosts = strict.knownHosts.replace(`:${port}`, `:${sshd.port}`);
    await expect(version(connect({ port, key, knownHosts }))).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('AllowStreamLocalForwarding'),
    });
    await strict.stop();
  });
});
