/** Where a Docker Engine is reached. */
export type DockerAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'ssh'; user: string; host: string; port: number; path: string }
  | { kind: 'tcp'; host: string; port: number };

const SSH_PORT = 22;
const SOCKET = '/var/run/docker.sock';
const UNIX = /^unix:\/\/(\/.+)$/;
const SSH = /^ssh:\/\/([^@:/\s]+)@(\[[\da-f:.]+\]|[^@:/\s[\]]+)(?::(\d{1,5}))?(\/\S+)?$/i;
const TCP = /^tcp:\/\/(\[[\da-f:.]+\]|[^@:/\s[\]]+):(\d{1,5})$/i;

export const DOCKER_ADDRESS_FORMS =
  'must be unix:///path/of/docker.sock, ssh://user@host[:port] or tcp://host:port';

/** Absent where the text is none. */
export function parseDockerAddress(text: string): DockerAddress | undefined {
  const [, path] = UNIX.exec(text) ?? [];
  if (path !== undefined) return { kind: 'unix', path };
  const ssh = SSH.exec(text);
  if (ssh !== null) {
    const [, user = '', host = '', port = String(SSH_PORT), socket = SOCKET] = ssh;
    return withPort({ kind: 'ssh', user, host: bare(host), port: Number(port), path: socket });
  }
  const [, host, port] = TCP.exec(text) ?? [];
  if (host === undefined) return undefined;
  return withPort({ kind: 'tcp', host: bare(host), port: Number(port) });
}

/** Whether it may be another machine. */
export function isRemote(address: string): boolean {
  return parseDockerAddress(address)?.kind !== 'unix';
}

function withPort(address: DockerAddress & { port: number }): DockerAddress | undefined {
  return address.port > 0 && address.port < 65_536 ? address : undefined;
}

/** An IPv6 address stands in brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
