import type Docker from 'dockerode';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Reach } from '#core/declarations/cluster-server.ts';
import { DOCKER_ADDRESS_FORMS, parseDockerAddress } from '#core/declarations/docker-address.ts';
import { UserError } from '#core/errors.ts';
import { createClient } from './client.ts';
import { createSshConnection } from './remote/ssh-connection.ts';
import { readSshLogin } from './remote/ssh-login.ts';
import type { SshUser } from './remote/ssh-login.ts';
import { StreamAgent } from './remote/stream-agent.ts';
import { openTlsStream } from './remote/tls-stream.ts';

/** What this process has to reach servers with. */
export interface Access {
  user: SshUser;
  readSecret: ReadSecret;
}

export interface ConnectedServer {
  docker: Docker;
  /** Ends every connection. */
  close: () => void;
}

/** A client of the engine of a declared server, wherever it is. Nothing is sent before the first call. */
export function connectServer(
  { docker: address, ssh, tls }: Reach,
  { user, readSecret }: Access,
): ConnectedServer {
  const parsed = parseDockerAddress(address);
  switch (parsed?.kind) {
    case undefined:
      throw new UserError('invalid-input', `${address} ${DOCKER_ADDRESS_FORMS}`);
    case 'unix':
      return { docker: createClient({ socketPath: parsed.path }), close: () => undefined };
    case 'ssh': {
      const connection = createSshConnection(address, parsed, () =>
        readSshLogin(parsed.user, ssh, user, readSecret),
      );
      const agent = new StreamAgent(() => connection.open());
      return {
        docker: createClient({ agent }),
        close() {
          agent.destroy();
          connection.close();
        },
      };
    }
    case 'tcp': {
      // What is declared with it is checked where it is declared.
      if (tls === undefined) throw new UserError('invalid-input', `${address} is without tls`);
      const agent = new StreamAgent(() => openTlsStream(parsed, tls, readSecret));
      return { docker: createClient({ agent }), close: () => agent.destroy() };
    }
  }
}
