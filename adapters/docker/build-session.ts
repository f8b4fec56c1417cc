import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type Docker from 'dockerode';
import type { BuildContext, FileTimes } from '#adapters/docker/build-context.ts';
import { syncFiles } from '#adapters/docker/build-file-sync.ts';
import { buildProtocol } from '#adapters/docker/build-protocol.ts';
import type { Packet } from '#adapters/docker/build-protocol.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { messageOf, UserError } from '#core/errors.ts';

const OPEN_TIMEOUT_MS = 20_000;
const DOCKER_HUB_HOST = 'registry-1.docker.io';
const SERVING = 1;

export interface SessionContent {
  context: BuildContext;
  /** Equal for builds of the same folder over time: BuildKit then asks only for what changed. */
  contextKey: string;
  times: FileTimes;
  credentials: ReadCredentials;
}

/**
 * Lets BuildKit ask us, while `use` runs, for files of the context and for credentials of registries. The connection
 * and its server are gone when `use` has ended, however it ended.
 */
export async function withSession<T>(
  docker: Docker,
  content: SessionContent,
  signal: AbortSignal,
  use: (sessionId: string) => Promise<T>,
): Promise<T> {
  const id = randomUUID();
  const socket = await openSession(docker, id, content.contextKey, signal);
  // By what was agreed on for HTTP before, HTTP/2 would be refused.
  if (socket instanceof TLSSocket) socket.alpnProtocol = 'h2';
  const server = createServer(content);
  try {
    server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(socket);
    return await use(id);
  } finally {
    server.forceShutdown();
    socket.destroy();
  }
}

function createServer({ context, times, credentials }: SessionContent): Server {
  const protocol = buildProtocol();
  const server = new Server();
  server.addService(protocol.health, {
    Check: (_call: unknown, answer: sendUnaryData<object>) => answer(null, { status: SERVING }),
  });
  server.addService(protocol.auth, {
    Credentials: (
      call: ServerUnaryCall<{ Host: string }, object>,
      answer: sendUnaryData<object>,
    ) => {
      credentialsFor(call.request.Host, credentials).then(
        (found) => answer(null, found),
        (error: unknown) => answer({ code: status.UNKNOWN, details: messageOf(error) }),
      );
    },
  });
  server.addService(protocol.fileSync, {
    DiffCopy: (call: ServerDuplexStream<Packet, Packet>) => syncFiles(call, context, times),
  });
  return server;
}

async function credentialsFor(host: string, read: ReadCredentials): Promise<object> {
  const auth = await read(host === DOCKER_HUB_HOST ? 'docker.io/any/image' : `${host}/any/image`);
  if (auth === undefined) return {};
  return auth.identitytoken === undefined
    ? { Username: auth.username, Secret: auth.password }
    : { Username: '', Secret: auth.identitytoken };
}

function openSession(
  docker: Docker,
  id: string,
  contextKey: string,
  signal: AbortSignal,
): Promise<Duplex> {
  const deadline = AbortSignal.timeout(OPEN_TIMEOUT_MS);
  const modem = docker.modem as {
    dial(options: object, done: (error: Error | null, socket: Duplex) => void): void;
  };
  const request = {
    method: 'POST',
    path: '/session',
    hijack: true,
    headers: {
      Upgrade: 'h2c',
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'windlass',
      'X-Docker-Expose-Session-Sharedkey': contextKey,
      'X-Docker-Expose-Session-Grpc-Method': [
        '/grpc.health.v1.Health/Check',
        '/moby.filesync.v1.Auth/Credentials',
        '/moby.filesync.v1.FileSync/DiffCopy',
      ],
    },
    statusCodes: { 200: true },
    abortSignal: AbortSignal.any([signal, deadline]),
  };
  return new Promise((resolve, reject) => {
    modem.dial(request, (error, socket) => {
      if (error === null) return resolve(socket);
      if (signal.aborted) return reject(signal.reason as Error);
      return reject(
        new UserError('unavailable', `no build session with Docker: ${messageOf(error)}`, {
          transient: true,
          cause: error,
        }),
      );
    });
  });
}
