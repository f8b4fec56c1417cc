import type { EdgeConfig } from '#core/docker/world.ts';

/** Where an edge that is not on the host's network has a socket for each port of the host. */
export const SOCKETS_FOLDER = '/windlass-sockets';

const BIND = /^ {2}bind \*:(\d+)/gm;
/** Who the client is is told first thing on a connection: rules of the session know it. */
const AS_TOLD = ['  tcp-request connection reject', '  tcp-request session reject'] as const;
const FRONT = `global
  fd-hard-limit 50000
  hard-stop-after 5m
  mworker-max-reloads 50
  noreuseport

defaults
  mode tcp
  option tcpka
  option splice-auto
  retries 3
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  timeout client-fin 30s

frontend hand-over
  bind unix@/tmp/hand-over.sock
`;

/**
 * The edge where pods are on a network that the host has no part in: it listens on sockets, which any network namespace
 * can connect to, and what has the host's ports leads there and says who the client is. Either can be told something else
 * without the other, and without losing a connection.
 */
export function behindSockets({ haproxy, ...config }: EdgeConfig): EdgeConfig {
  const sections = config.ports.toSorted((one, other) => one - other).map(sectionOf);
  return {
    ...config,
    haproxy: haproxy
      .replaceAll(BIND, (_bind, port: string) => `  bind ${socketOf(port)} accept-proxy`)
      .replaceAll(...AS_TOLD),
    front: [FRONT, ...sections].join('\n'),
  };
}

function sectionOf(port: number): string {
  return `listen port.${port}
  bind *:${port}
  server edge ${socketOf(String(port))} send-proxy-v2
`;
}

function socketOf(port: string): string {
  return `unix@${SOCKETS_FOLDER}/${port}`;
}
