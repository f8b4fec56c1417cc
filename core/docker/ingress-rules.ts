import type { IngressAnnotations } from '#core/docker/ingress-annotations.ts';

/** What annotations have a backend do with a request before a pod gets it, in the order of nginx's phases. */

const CORS_METHODS = 'GET, PUT, POST, DELETE, PATCH, OPTIONS';
const CORS_HEADERS =
  'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization';
const CORS_MAX_AGE = 1_728_000;
const CORS = '{ var(txn.cors) -m bool }';
/** So often as much as in a second or minute may come at once; as ingress-nginx has it. */
const BURST = 5;

/** Sends the client elsewhere. */
export function redirectLines(annotations: IngressAnnotations): string[] {
  const { 'permanent-redirect': permanent, 'temporal-redirect': temporal } = annotations;
  const root = annotations['app-root'];
  const code = annotations['permanent-redirect-code'] ?? 301;
  return [
    ...(temporal === undefined ? [] : [redirectTo(temporal, 302)]),
    ...(permanent === undefined ? [] : [redirectTo(permanent, code)]),
    ...(root === undefined ? [] : [`${redirectTo(root, 302)} if { path -m str / }`]),
  ];
}

/** Whom a page of another origin may be answered by; a browser that asks whether it may is answered here. */
export function corsLines(annotations: IngressAnnotations): string[] {
  if (annotations['enable-cors'] !== true) return [];
  const origins = annotations['cors-allow-origin'] ?? ['*'];
  const isAny = origins.includes('*');
  const headers = {
    'Access-Control-Allow-Origin': isAny ? '*' : '%[var(txn.origin)]',
    ...(annotations['cors-allow-credentials'] === false
      ? {}
      : { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Allow-Methods': annotations['cors-allow-methods'] ?? CORS_METHODS,
    'Access-Control-Allow-Headers': annotations['cors-allow-headers'] ?? CORS_HEADERS,
    'Access-Control-Max-Age': String(annotations['cors-max-age'] ?? CORS_MAX_AGE),
    ...(annotations['cors-expose-headers'] === undefined
      ? {}
      : { 'Access-Control-Expose-Headers': annotations['cors-expose-headers'] }),
  };
  return [
    '  http-request set-var(txn.origin) req.hdr(origin)',
    ...(isAny
      ? ['  http-request set-var(txn.cors) bool(true)']
      : origins.map(
          (origin) => `  http-request set-var(txn.cors) bool(true) if ${originCondition(origin)}`,
        )),
    ...Object.entries(headers).map(
      ([name, value]) => `  http-after-response set-header ${name} '${value}' if ${CORS}`,
    ),
    ...(isAny ? [] : ['  http-after-response add-header Vary Origin']),
    `  http-request return status 204 if { method OPTIONS } ${CORS}`,
  ];
}

/** How much one client may ask; what it is refused does not count. */
export function rateLines(annotations: IngressAnnotations): string[] {
  const burst = annotations['limit-burst-multiplier'] ?? BURST;
  const limits = [
    { counter: 'gpc0', most: annotations['limit-rps'], seconds: burst },
    { counter: 'gpc1', most: annotations['limit-rpm'], seconds: 60 * burst },
  ].flatMap(({ counter, most, seconds }) =>
    most === undefined ? [] : [{ counter, seconds, most: most * burst }],
  );
  if (limits.length === 0) return [];
  const stored = limits.map(({ counter, seconds }) => `${counter}_rate(${seconds}s)`).join(',');
  const expires = 2 * Math.max(...limits.map(({ seconds }) => seconds));
  return [
    `  stick-table type ipv6 size 100k expire ${expires}s store ${stored}`,
    '  http-request track-sc0 src',
    ...limits.map(
      ({ counter, most }) =>
        `  http-request deny deny_status 503 if { sc0_${counter}_rate ge ${most} }`,
    ),
    ...limits.map(({ counter }) => `  http-request sc-inc-${counter}(0)`),
  ];
}

/** Who may ask at all. */
export function sourceLines(annotations: IngressAnnotations): string[] {
  const allowed =
    annotations['whitelist-source-range'] ?? annotations['allowlist-source-range'] ?? [];
  const denied = annotations['denylist-source-range'] ?? [];
  return [
    ...(allowed.length === 0
      ? []
      : [`  http-request deny deny_status 403 if !{ src ${allowed.join(' ')} }`]),
    ...(denied.length === 0
      ? []
      : [`  http-request deny deny_status 403 if { src ${denied.join(' ')} }`]),
  ];
}

/** What pods are told. */
export function headerLines(annotations: IngressAnnotations): string[] {
  const { 'upstream-vhost': host, 'x-forwarded-prefix': prefix } = annotations;
  return [
    ...(host === undefined ? [] : [`  http-request set-header Host ${host}`]),
    ...(prefix === undefined ? [] : [`  http-request set-header X-Forwarded-Prefix ${prefix}`]),
  ];
}

function redirectTo(target: string, code: number): string {
  const location = target
    .replaceAll('%', '%%')
    .replaceAll('$request_uri', '%[pathq]')
    .replaceAll('$host', '%[var(txn.host)]');
  return `  http-request redirect location '${location}' code ${code}`;
}

function originCondition(origin: string): string {
  if (!origin.includes('*')) return `{ var(txn.origin) -m str -i '${origin}' }`;
  const pattern = origin.replaceAll('.', '\\.').replace('*', '[a-zA-Z0-9.-]+');
  return `{ var(txn.origin) -m reg -i '^${pattern}$' }`;
}
