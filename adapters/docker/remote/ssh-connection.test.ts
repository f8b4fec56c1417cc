import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { Connection } from 'ssh2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSshConnection } from './ssh-connection.ts';
import type { SshConnection } from './ssh-connection.ts';

const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
const userKey = ssh2.utils.generateKeyPairSync('ed25519');

let server: ssh2.Server;
let port = 0;
let logins = 0;
let end: (socket: Socket) => void;

beforeEach(async () => {
  logins = 0;
  server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', () => {
      logins += 1;
      end(socketOf(client));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.close();
});

function socketOf(client: Connection): Socket {
  return (client as unknown as { _sock: Socket })._sock;
}

function connect(more = ''): SshConnection {
  const known = `[127.0.0.1]:${port}`;
  const line = `${known} ${hostKey.public.split(' ').slice(0, 2).join(' ')}`;
  const knownHosts = `${more === '' ? '' : `${known} ${more}\n`}${line}\n`;
  return createSshConnection(
    'the host',
    { kind: 'ssh', user: 'u', host: '127.0.0.1', port, path: '/docker.sock' },
    () =>
      Promise.resolve({
        knownHosts,
        methods: [{ type: 'publickey', username: 'u', key: userKey.private }],
      }),
  );
}

it.each<[string, typeof end]>([
  ['cuts it', (socket) => socket.destroy()],
  ['ends it', (socket) => socket.end()],
])('tells of a host that %s before the login, and asks it anew the next time', async (_, how) => {
  end = how;
  const connection = connect();
  for (const attempt of [1, 2]) {
    await expect(connection.open()).rejects.toMatchObject({
      code: 'unavailable',
      transient: true,
    });
    expect(logins).toBe(attempt);
  }
  connection.close();
});

it('reaches a host of which a key is known too that cannot be checked', async () => {
  end = (socket) => socket.destroy();
  const connection = connect('sk-ssh-ed25519@openssh.com AAAA');
  await expect(connection.open()).rejects.toMatchObject({ code: 'unavailable' });
  expect(logins).toBe(1);
  connection.close();
});

it('gives up a login when it is closed', async () => {
  const asked = Promise.withResolvers<void>();
  end = () => asked.resolve();
  const connection = connect();
  const opened = connection.open();
  await Promise.all([
    expect(opened).rejects.toMatchObject({ code: 'cancelled' }),
    asked.promise.then(() => connection.close()),
  ]);
});
