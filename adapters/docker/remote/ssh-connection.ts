import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';
import type { Client, ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import type { DockerAddress } from '#core/declarations/docker-address.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { ChannelStream } from './channel-stream.ts';
import { judgeHostKey, keyType, knownHostName, knownKeyTypes } from './known-hosts.ts';
import type { HostKeyVerdict } from './known-hosts.ts';
import type { SshLogin } from './ssh-login.ts';

/** From the first packet until logged in. */
const LOGIN_MS = 10_000;
/** Should the library not keep to it. */
const DEADLINE_MS = LOGIN_MS + 2_000;
/** A host that answers none of these is gone. */
const ALIVE_INTERVAL_MS = 5_000;
const ALIVE_MISSED = 3;
/** A host that refuses a login is not asked at each request: some lock out who tries too often. */
const REFUSED_PAUSE_MS = 10_000;

type SshAddress = Extract<DockerAddress, { kind: 'ssh' }>;

/** One connection to a host, made when it is first needed and again after it broke; each request is a channel in it. */
export interface SshConnection {
  /** A stream to Docker's socket on the host. */
  open(): Promise<ChannelStream>;
  close(): void;
}

export function createSshConnection(
  /** The address as it was declared, for what is told. */
  name: string,
  address: SshAddress,
  readLogin: () => Promise<SshLogin>,
): SshConnection {
  let current: Promise<Client> | undefined;
  let refused: { error: UserError; at: number } | undefined;
  const streams = new Set<ChannelStream>();
  const closing = new AbortController();

  function connection(): Promise<Client> {
    closing.signal.throwIfAborted();
    if (refused !== undefined && performance.now() - refused.at < REFUSED_PAUSE_MS)
      return Promise.reject(refused.error);
    refused = undefined;
    current ??= connect().catch((error: unknown) => {
      current = undefined;
      if (error instanceof UserError && !error.transient)
        refused = { error, at: performance.now() };
      throw error;
    });
    return current;
  }

  async function connect(): Promise<Client> {
    const client = await logIn(name, address, await readLogin(), closing.signal);
    let reason = 'it was closed';
    client.on('error', (error) => {
      reason = error.message;
    });
    client.on('close', () => {
      current = undefined;
      const error = new UserError('unavailable', `the connection to ${name} broke: ${reason}`, {
        transient: true,
      });
      for (const stream of streams) stream.destroy(error);
    });
    return client;
  }

  return {
    async open() {
      const client = await connection();
      const stream = new ChannelStream(await openChannel(name, client, address.path));
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      return stream;
    },
    close() {
      closing.abort(new UserError('cancelled', `the connection to ${name} was closed`));
      current?.then(
        (client) => client.destroy(),
        () => undefined,
      );
    },
  };
}

async function logIn(
  name: string,
  { host, port, user }: SshAddress,
  { methods, knownHosts }: SshLogin,
  signal: AbortSignal,
): Promise<Client> {
  const client = new ssh2.Client();
  const known = knownHostName(host, port);
  const types = knownKeyTypes(knownHosts, known) as ServerHostKeyAlgorithm[];
  let distrust: UserError | undefined;
  const config: ConnectConfig = {
    host,
    port,
    username: user,
    authHandler: methods,
    readyTimeout: LOGIN_MS,
    keepaliveInterval: ALIVE_INTERVAL_MS,
    keepaliveCountMax: ALIVE_MISSED,
    ...(types.length === 0 ? {} : { algorithms: { serverHostKey: types } }),
    hostVerifier: (key: Buffer) => {
      const verdict = judgeHostKey(knownHosts, known, key);
      if (verdict !== 'known') distrust = distrusted(known, verdict, key);
      return verdict === 'known';
    },
  };
  try {
    signal.throwIfAborted();
    await ready(client, config, signal);
    client.setNoDelay(true);
    hurryServer(client);
    return client;
  } catch (error) {
    client.destroy();
    signal.throwIfAborted();
    throw distrust ?? explain(name, known, error);
  }
}

/** The library tells no error where the host hangs up before the login, and then forgets its own deadline. */
async function ready(client: Client, config: ConnectConfig, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('it does not let us in')), DEADLINE_MS);
      done.signal.addEventListener('abort', () => clearTimeout(timer));
      signal.addEventListener('abort', () => reject(signal.reason), { signal: done.signal });
      client.once('ready', resolve);
      // It stays: what goes wrong after it was given up is of no interest any more.
      client.on('error', reject);
      client.once('close', () => reject(new Error('it hung up before the login')));
      client.connect(config);
    });
  } finally {
    done.abort();
  }
}

/**
 * OpenSSH sends small packets without delay only once a command was begun: before that each answer may wait for an
 * acknowledgement, ten milliseconds or so. Where commands are forbidden it stays slow.
 */
function hurryServer(client: Client): void {
  client.exec('exit', (error, channel) => {
    if (error !== undefined) return;
    channel.on('error', () => {});
    channel.resume();
    channel.stderr.resume();
    channel.end();
  });
}

function openChannel(name: string, client: Client, path: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.openssh_forwardOutStreamLocal(path, (error, channel) => {
      if (error === undefined) return resolve(channel);
      return reject(
        new UserError(
          'unavailable',
          `${name} does not lead to Docker at ${path}: ${error.message}`,
          {
            transient: true,
            cause: error,
            hint: 'Docker must run there, the user must be allowed to use its socket, and the ssh server (OpenSSH) must not forbid AllowStreamLocalForwarding',
          },
        ),
      );
    });
  });
}

function distrusted(
  known: string,
  verdict: Exclude<HostKeyVerdict, 'known'>,
  key: Buffer,
): UserError {
  const shown = `${keyType(key)} SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
  const where = "what the server's ssh.knownHosts names, or the user's known_hosts";
  const [what, hint] = {
    unknown: [
      `the host key of ${known} is not known (${shown})`,
      `if that is what the host has itself, put its line, as ssh-keyscan prints it, into ${where}`,
    ],
    changed: [
      `the host key of ${known} is another than is known (${shown})`,
      `somebody may be in between; if the key was changed on purpose, put the new one into ${where}`,
    ],
    revoked: [`the host key of ${known} was revoked (${shown})`, `${where} says so`],
  }[verdict];
  return new UserError('unauthorized', what ?? '', { hint: hint ?? '' });
}

function explain(name: string, known: string, error: unknown): UserError {
  const { level = '' } = error as { level?: string };
  const message = messageOf(error);
  if (level === 'client-authentication')
    return new UserError('unauthorized', `${name} does not let us log in`, {
      cause: error,
      hint: "is the public key in the user's authorized_keys there, and the private one the server's ssh.key, in the ssh agent or in ~/.ssh?",
    });
  if (/no matching host key format/.test(message))
    return new UserError('unauthorized', `${known} has no host key of a type that is known of it`, {
      cause: error,
      hint: 'put the line of a key that it has now, as ssh-keyscan prints it, into known_hosts',
    });
  if (level === 'client-timeout')
    return new UserError(
      'timeout',
      `${name} does not answer: no login within ${LOGIN_MS / 1_000} s`,
      {
        transient: true,
        cause: error,
      },
    );
  return new UserError('unavailable', `${name} cannot be reached: ${message}`, {
    transient: true,
    cause: error,
  });
}
