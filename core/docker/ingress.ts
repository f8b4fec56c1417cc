import { bodySizeLines } from '#core/docker/body-size.ts';
import { HTTP_RETRIES } from '#core/docker/http-retries.ts';
import { defaultFor, defaultRoutes, routesOf } from '#core/docker/ingress-routes.ts';
import type { RecordedIngress, Route } from '#core/docker/ingress-routes.ts';
import {
  corsLines,
  headerLines,
  rateLines,
  redirectLines,
  sourceLines,
} from '#core/docker/ingress-rules.ts';
import { userlistOf, usersMark } from '#core/docker/ingress-users.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { serverLines } from '#core/docker/proxy-servers.ts';
import type { EdgeConfig, LivePod } from '#core/docker/world.ts';

const CA_PATH = '/.well-known/windlass/ca.pem';
const CHALLENGE = '^/\\.well-known/acme-challenge/[A-Za-z0-9_-]+$';
const NOTHING = 'ingress.nothing';
/** The host that is asked for, without a port, where anything depends on it. */
const HOST = 'var(txn.host)';
const SET_HOST = '  http-request set-var(txn.host) req.hdr(host),field(1,:),lower';
const NOT_FOUND = `backend ${NOTHING}
  mode http
  http-request return status 404 content-type text/plain string "404: no Ingress is for this host and path"
`;

/** Where the edge listens for what Ingresses are for. */
export interface IngressPorts {
  http: number;
  https: number;
}

interface IngressParts {
  ingresses: readonly RecordedIngress[];
  ports: IngressPorts;
  /** Files with certificate and key, of those that were asked for. */
  certificates: readonly string[];
  /** Hosts of which ACME servers ask whether they are ours, and what they know us by. */
  challenged: readonly string[];
  thumbprint: string;
  /** The file with the internal CA's certificate, where that signed one of them. */
  ca?: string;
  users: EdgeConfig['users'];
  /** Of a backend: the Service and the addresses of its pods. */
  serversOf(route: Route): { pod: LivePod; port: number }[];
}

/** The edge's sections for all Ingresses; none where there is no Ingress. */
export function ingressSections(parts: IngressParts): string[] {
  const { ingresses, ports, certificates } = parts;
  if (ingresses.length === 0) return [];
  const routes = routesOf(ingresses);
  const defaults = defaultRoutes(ingresses);
  const lines = [...useLines(routes, defaults), `  default_backend ${restOf('', defaults)}`];
  const plain = [
    ...caLines(parts),
    ...challengeLines(parts),
    ...wwwLines(routes, { scheme: 'http', port: ports.http }),
    ...lines,
  ];
  const secure = [...wwwLines(routes, { scheme: 'https', port: ports.https }), ...lines];
  const backends = [...routes, ...defaults].map((route) => backend(route, parts));
  const asked = [...plain, ...secure, ...backends].some((text) => text.includes(HOST))
    ? [SET_HOST]
    : [];
  const crts = certificates.map((file) => ` crt ${file}`).join('');
  const secureBind = `*:${ports.https} ssl strict-sni alpn h2,http/1.1${crts}`;
  return [
    ...parts.users.map(({ list, file }) =>
      [`userlist ${list}`, ...(file === undefined ? [] : [usersMark(file)]), ''].join('\n'),
    ),
    frontend('http', `*:${ports.http}`, { port: ports.http, lines: [...asked, ...plain] }),
    ...(certificates.length === 0
      ? []
      : [frontend('https', secureBind, { port: ports.https, lines: [...asked, ...secure] })]),
    ...backends,
    NOT_FOUND,
  ];
}

export function ingressServicePort(
  service: Service,
  { backend: { service: wanted } }: Route,
): Service['spec']['ports'][number] | undefined {
  return service.spec.ports
    .filter(({ protocol }) => protocol === 'TCP')
    .find(({ name, port }) =>
      wanted.port.name === undefined ? port === wanted.port.number : name === wanted.port.name,
    );
}

/** Anybody may have it, and nobody trusts what comes of it by that. */
function caLines({ ca }: IngressParts): string[] {
  return ca === undefined
    ? []
    : [
        `  http-request return status 200 content-type application/x-pem-file file ${ca} if { path ${CA_PATH} }`,
      ];
}

/** The answer to any challenge follows from its token: nothing is to be told to the edge when one comes. */
function challengeLines({ challenged, thumbprint }: IngressParts): string[] {
  return challenged.map(
    (host) =>
      `  http-request return status 200 content-type text/plain lf-string "%[path,field(4,/)].${thumbprint}" if { path -m reg '${CHALLENGE}' } ${hostCondition(host)}`,
  );
}

function frontend(
  scheme: 'http' | 'https',
  bind: string,
  { port, lines }: { port: number; lines: readonly string[] },
): string {
  return [
    `frontend ingress.${scheme}`,
    `  bind ${bind}`,
    '  mode http',
    '  option idle-close-on-response',
    '  timeout http-request 60s',
    '  timeout http-keep-alive 75s',
    // An address becomes text once for each connection: that is the dearest of all that is done here.
    '  tcp-request session set-var-fmt(sess.client) %[src]',
    '  http-request set-header X-Forwarded-For %[var(sess.client)]',
    '  http-request set-header X-Real-IP %[var(sess.client)]',
    '  http-request set-header X-Forwarded-Host %[req.fhdr(host)]',
    `  http-request set-header X-Forwarded-Proto ${scheme}`,
    `  http-request set-header X-Forwarded-Port ${port}`,
    ...lines,
    '',
  ].join('\n');
}

/** Hosts with and without `www.`, of which one is meant and the other nobody's own. */
function wwwLines(
  routes: readonly Route[],
  { scheme, port }: { scheme: 'http' | 'https'; port: number },
): string[] {
  const own = new Set(routes.map(({ host }) => host));
  const to = routes
    .filter(
      ({ host, annotations }) => isNamed(host) && annotations['from-to-www-redirect'] === true,
    )
    .map(({ host }) => host);
  const shown = port === (scheme === 'http' ? 80 : 443) ? '' : `:${port}`;
  return [...new Set(to)].flatMap((host) => {
    const from = host.startsWith('www.') ? host.slice('www.'.length) : `www.${host}`;
    return own.has(from)
      ? []
      : [
          `  http-request redirect prefix ${scheme}://${host}${shown} code 308 if ${hostCondition(from)}`,
        ];
  });
}

function isNamed(host: string): boolean {
  return host !== '' && !host.startsWith('*.');
}

/** The first that holds is taken; a host of which no path is meant is nobody else's either. */
function useLines(routes: readonly Route[], defaults: readonly Route[]): string[] {
  return routes.flatMap((route, index) => {
    const own = pathConditions(route).flatMap((condition) =>
      chances(route).map((chance) =>
        ['  use_backend', route.id, 'if', hostCondition(route.host), condition, chance]
          .filter((part) => part !== '')
          .join(' '),
      ),
    );
    const isLast = routes[index + 1]?.host !== route.host;
    const left = `  use_backend ${restOf(route.host, defaults)} if ${hostCondition(route.host)}`;
    return isLast && route.host !== '' ? [...own, left] : own;
  });
}

function restOf(host: string, defaults: readonly Route[]): string {
  return defaultFor(host, defaults)?.id ?? NOTHING;
}

function hostCondition(host: string): string {
  if (host === '') return '';
  if (!host.startsWith('*.')) return `{ ${HOST} -m str ${host} }`;
  return `{ ${HOST} -m reg '^[^.]+${host.slice(1).replaceAll('.', '\\.')}$' }`;
}

/** Of a canary: what a header says, else what a cookie says, else its share. */
function chances({ annotations }: Route): string[] {
  if (annotations.canary !== true) return [''];
  const { 'canary-by-header': header, 'canary-by-header-value': value } = annotations;
  const cookieName = annotations['canary-by-cookie'];
  const never =
    header === undefined || value !== undefined ? [] : [`!{ req.fhdr(${header}) -m str never }`];
  return [
    ...(header === undefined ? [] : [[`{ req.fhdr(${header}) -m str '${value ?? 'always'}' }`]]),
    ...(cookieName === undefined ? [] : [[`{ req.cook(${cookieName}) -m str always }`, ...never]]),
    [
      `{ rand(100) lt ${annotations['canary-weight'] ?? 0} }`,
      ...never,
      ...(cookieName === undefined ? [] : [`!{ req.cook(${cookieName}) -m str never }`]),
    ],
  ].map((conditions) => conditions.join(' '));
}

/** Any of them. A prefix is of whole elements of the path. */
function pathConditions({ path, how }: Route): string[] {
  if (how === 'exact') return [`{ path -m str '${path}' }`];
  if (how === 'regex') return [`{ path -m reg '(?i)^${path}' }`];
  const prefix = path.replace(/\/+$/, '');
  if (prefix === '') return ['{ path -m found }'];
  return [`{ path -m str '${prefix}' }`, `{ path -m beg '${prefix}/' }`];
}

function backend(route: Route, parts: IngressParts): string {
  const { annotations } = route;
  const servers = parts.serversOf(route).map(({ pod, port }) => ({
    name: pod.name,
    address: `${pod.ip}:${port}`,
    how: protocolOf(annotations),
    ...(annotations.affinity === undefined ? {} : { cookie: pod.name }),
  }));
  return [
    `backend ${route.id}`,
    '  mode http',
    '  balance roundrobin',
    ...HTTP_RETRIES,
    '  timeout tunnel 1h',
    ...timeouts(route),
    ...redirect(route, parts.ports),
    ...redirectLines(annotations),
    ...corsLines(annotations),
    ...rateLines(annotations),
    ...sourceLines(annotations),
    ...limit(route),
    ...password(route),
    ...headerLines(annotations),
    ...rewrite(route),
    ...cookie(route),
    ...serverLines(servers),
    '',
  ].join('\n');
}

function protocolOf(annotations: Route['annotations']): string[] {
  if (annotations['backend-protocol'] === 'GRPC') return ['proto h2'];
  return annotations['backend-protocol'] === 'HTTPS' ? ['ssl verify none'] : [];
}

function timeouts({ annotations }: Route): string[] {
  const connect = annotations['proxy-connect-timeout'];
  const waits = [annotations['proxy-read-timeout'], annotations['proxy-send-timeout']].filter(
    (seconds) => seconds !== undefined,
  );
  return [
    ...(connect === undefined ? [] : [`  timeout connect ${connect}s`]),
    ...(waits.length === 0 ? [] : [`  timeout server ${Math.max(...waits)}s`]),
  ];
}

/** To HTTPS where there is a certificate for the host, as ingress-nginx does unless told otherwise. */
function redirect({ tlsHosts, annotations }: Route, { https }: IngressPorts): string[] {
  const to =
    https === 443
      ? 'redirect scheme https code 308'
      : `redirect prefix https://%[${HOST}]:${https} code 308`;
  if (annotations['force-ssl-redirect'] === true) return [`  http-request ${to} if !{ ssl_fc }`];
  if (annotations['ssl-redirect'] === false) return [];
  return tlsHosts.map((host) => `  http-request ${to} if !{ ssl_fc } ${hostCondition(host)}`);
}

function limit({ annotations }: Route): string[] {
  const bytes = annotations['proxy-body-size'] ?? 0;
  return bytes === 0 ? [] : bodySizeLines(bytes);
}

function password({ users, annotations }: Route): string[] {
  if (users === undefined) return [];
  const realm = annotations['auth-realm'] ?? 'Authentication Required';
  return [`  http-request auth realm '${realm}' unless { http_auth(${userlistOf(users)}) }`];
}

function cookie({ annotations }: Route): string[] {
  if (annotations.affinity === undefined) return [];
  const sameSite = annotations['session-cookie-samesite'];
  const maxAge = annotations['session-cookie-max-age'] ?? annotations['session-cookie-expires'];
  return [
    [
      `  cookie ${annotations['session-cookie-name'] ?? 'INGRESSCOOKIE'}`,
      'insert indirect nocache httponly',
      ...(annotations['session-cookie-secure'] === true ? ['secure'] : []),
      ...(sameSite === undefined ? [] : [`attr SameSite=${sameSite}`]),
      ...(maxAge === undefined ? [] : [`attr Max-Age=${maxAge}`]),
    ].join(' '),
  ];
}

function rewrite({ annotations, how, path }: Route): string[] {
  const target = annotations['rewrite-target'];
  if (target === undefined) return [];
  if (how !== 'regex') return [`  http-request set-path '${target}'`];
  return [`  http-request replace-path '(?i)^${path}' '${target.replaceAll('$', '\\')}'`];
}
