import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Server } from '#core/declarations/cluster-server.ts';
import type { DockerAddress } from '#core/declarations/docker-address.ts';
import { UserError } from '#core/errors.ts';

/** From the first packet until each side knows the other. */
const CONNECT_MS = 10_000;
/** So long nothing is heard until the host is asked whether it is still there; some ten seconds later it is gone. */
const ALIVE_AFTER_MS = 10_000;

type TcpAddress = Extract<DockerAddress, { kind: 'tcp' }>;

/** A connection to an engine that asks for a certificate, and shows one. What is declared is read anew each time. */
export async function openTlsStream(
  { host, port }: TcpAddress,
  declared: NonNullable<Server['tls']>,
  readSecret: ReadSecret,
): Promise<TLSSocket> {
  const [ca, cert, key] = await Promise.all(
    [declared.ca, declared.cert, declared.key].map(readSecret),
  );
  const address = { host, port, ALPNProtocols: ['http/1.1'] };
  const socket = connect({
    ...address,
    ca: ca?.reveal(),
    cert: cert?.reveal(),
    key: key?.reveal(),
    // Else NODE_TLS_REJECT_UNAUTHORIZED would decide.
    rejectUnauthorized: true,
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `tcp://${host}:${port} does not answer within ${CONNECT_MS / 1_000} s`;
      socket.destroy(new UserError('timeout', message, { transient: true }));
    }, CONNECT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      socket.setKeepAlive(true, ALIVE_AFTER_MS);
      resolve(socket);
    });
  });
}
