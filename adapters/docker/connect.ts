import Docker from 'dockerode';
import { UserError } from '#core/errors.ts';

/** A client of the engine at `unix:///path`. Nothing is sent before the first call. */
export function connectDocker(address: string): Docker {
  const socketPath = address.startsWith('unix://') ? address.slice('unix://'.length) : undefined;
  if (socketPath === undefined || !socketPath.startsWith('/')) {
    throw new UserError('invalid-input', `${address} is not the address of a Docker Engine`, {
      hint: 'Write unix:///var/run/docker.sock',
    });
  }
  return new Docker({ socketPath });
}
