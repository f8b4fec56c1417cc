import type { HostPort } from '#core/docker/node-ports.ts';
import { UserError } from '#core/errors.ts';

/** A port of the host that somebody else has. */
export class PortTaken extends UserError {
  readonly port: number;

  constructor(port: HostPort) {
    super('conflict', portTaken(port));
    this.port = port.port;
  }
}

/** Of a Service that waits for it. */
export function portAwaited({ port, protocol }: HostPort): string {
  const what = protocol === 'TCP' ? `port ${port}` : `port ${port} of UDP`;
  return `waits for ${what} of the host, which another program has until it ends`;
}

export function portTaken({ port, protocol }: HostPort): string {
  const isTcp = protocol === 'TCP';
  const what = isTcp ? `port ${port}` : `port ${port} of UDP`;
  const other = isTcp ? " (Ingresses: the Cluster's spec.ingress)" : '';
  return (
    `${what} is in use by another program on the host: give the Service another one${other}, ` +
    `or stop what listens there (ss -l${isTcp ? 't' : 'u'}np 'sport = :${port}')`
  );
}
