import type Docker from 'dockerode';
import { parseDockerAddress } from '#core/declarations/docker-address.ts';
import { UserError } from '#core/errors.ts';
import { createClient } from './client.ts';

/** A client of the engine at `unix:///path`. Nothing is sent before the first call. */
export function connectDocker(address: string): Docker {
  const parsed = parseDockerAddress(address);
  if (parsed?.kind === 'unix') return createClient({ socketPath: parsed.path });
  throw new UserError('invalid-input', `${address} is not the address of a Docker Engine here`, {
    hint: 'Write unix:///var/run/docker.sock',
  });
}
