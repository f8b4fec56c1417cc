/** One pod as HAProxy is to know it. */
export interface ProxyServer {
  name: string;
  /** With its port. */
  address: string;
  /** How it is spoken to, e.g. `proto h2`. */
  how?: readonly string[];
  /** By which a client stays with it. */
  cookie?: string;
}

/** Of a pod's name there is no colon. */
const AGAIN = ':again';
/** More than there are servers: HAProxy counts them from 1. */
const AGAIN_IDS = 100_000;

/**
 * What the lines of servers need in `defaults`. One that refuses a connection is left alone until a check finds it well; that is
 * soon, since it may only have been started anew.
 */
export const SERVER_DEFAULTS: readonly string[] = [
  '  option allbackups',
  '  default-server check inter 2s fastinter 500ms downinter 100ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down',
];

/**
 * Each server twice: the second one is asked while none is known to be well, whatever checks say. HAProxy would answer 503 at
 * once; as it is, a request that all refuse waits for a second up to three times, so that pods killed one after another have
 * the time to be back. To HAProxy that one always seems well, so nothing may lead a client to it while another is: no cookie, and
 * no number that a pod had before, by which HAProxy looks for the server of a client that met one that is gone.
 */
export function serverLines(servers: readonly ProxyServer[]): string[] {
  const lines = servers.map(({ name, address, how = [], cookie }) => ({
    name,
    rest: [address, ...how],
    stays: cookie === undefined ? [] : [`cookie ${cookie}`],
  }));
  return [
    ...lines.map(({ name, rest, stays }) => ['  server', name, ...rest, ...stays]),
    ...lines.map(({ name, rest }, index) => [
      '  server',
      `${name}${AGAIN}`,
      ...rest,
      `id ${AGAIN_IDS + index}`,
      'backup no-check non-stick',
    ]),
  ].map((words) => words.join(' '));
}
