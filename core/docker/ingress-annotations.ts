import { z } from 'zod';
import { Subdomain } from '#core/docker/kind-words.ts';

const PREFIX = 'nginx.ingress.kubernetes.io/';
/** By which an Ingress asks for certificates; as cert-manager has them. */
export const ISSUER_ANNOTATIONS = ['cert-manager.io/cluster-issuer', 'cert-manager.io/issuer'];
/** Annotations by which other controllers are told what to do: here they would be ignored. */
const OTHERS =
  /(^|[.-])(ingress|haproxy|traefik|cert-manager|acme)[./-]|^kubernetes\.io\/tls-acme$/;
const KNOWN_OTHERS: readonly string[] = [
  'kubernetes.io/ingress.class',
  'ingressclass.kubernetes.io/is-default-class',
  ...ISSUER_ANNOTATIONS,
];

const Flag = z
  .enum(['true', 'false'], 'must be "true" or "false"')
  .transform((text) => text === 'true');
const Seconds = z
  .string()
  .regex(/^[1-9]\d{0,6}$/, 'must be a number of seconds')
  .transform(Number);
const UNITS = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
const Size = z
  .string()
  .regex(/^\d{1,9}[kmg]?$/i, 'must be a size such as 8m; 0 for any')
  .transform((text) => {
    const unit = text.replace(/\d+/, '').toLowerCase() as keyof typeof UNITS;
    return Number.parseInt(text, 10) * UNITS[unit];
  });
const Name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be letters, digits, - and _');

const Count = z
  .string()
  .regex(/^[1-9]\d{0,6}$/, 'must be a number')
  .transform(Number);
const Ranges = list(
  z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]),
  'must be networks or addresses, with commas between',
);
/** `$request_uri` and `$host` are known of nginx's variables. */
const Target = z
  .string()
  .regex(
    /^(https?:\/\/|\/)([\x21\x23\x25\x26\x28-\x7e]|\$request_uri|\$host)*$/,
    'must be a URL, of nginx variables with $request_uri and $host only',
  );
const Origins = list(
  z.string().regex(/^(\*|https?:\/\/(\*\.)?[A-Za-z0-9.-]+(:\d+)?)$/),
  'must be origins such as https://a.test, with commas between, or *',
);
const HeaderNames = z.string().regex(/^[A-Za-z0-9_, *-]+$/, 'must be names of headers');

function list<Item extends z.ZodType<string>>(
  item: Item,
  message: string,
): z.ZodType<string[], string> {
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .refine((parts) => parts.every((part) => item.safeParse(part).success), message);
}

/** Those of ingress-nginx that are honoured, by its own names. */
const Annotations = z.strictObject({
  'rewrite-target': z
    .string()
    .regex(/^\/[\w\-./$~]*$/, 'must be a path, with $1 and so on for what a group matched')
    .optional(),
  'use-regex': Flag.optional(),
  'ssl-redirect': Flag.optional(),
  'force-ssl-redirect': Flag.optional(),
  'proxy-body-size': Size.optional(),
  'proxy-connect-timeout': Seconds.optional(),
  'proxy-read-timeout': Seconds.optional(),
  'proxy-send-timeout': Seconds.optional(),
  'backend-protocol': z.enum(['HTTP', 'HTTPS', 'GRPC']).optional(),
  // What the edge does anyway.
  'proxy-buffering': z.literal('off', 'the edge buffers nothing').optional(),
  'proxy-request-buffering': z.literal('off', 'the edge buffers nothing').optional(),
  'proxy-http-version': z.literal('1.1', 'the edge speaks 1.1').optional(),
  'permanent-redirect': Target.optional(),
  'permanent-redirect-code': z
    .enum(['301', '302', '303', '307', '308'])
    .transform(Number)
    .optional(),
  'temporal-redirect': Target.optional(),
  'app-root': z
    .string()
    .regex(/^\/[\w\-./~]*$/, 'must be a path')
    .optional(),
  'from-to-www-redirect': Flag.optional(),
  'enable-cors': Flag.optional(),
  'cors-allow-origin': Origins.optional(),
  'cors-allow-methods': z
    .string()
    .regex(/^[A-Za-z, *]+$/, 'must be methods')
    .optional(),
  'cors-allow-headers': HeaderNames.optional(),
  'cors-expose-headers': HeaderNames.optional(),
  'cors-allow-credentials': Flag.optional(),
  'cors-max-age': Seconds.optional(),
  'limit-rps': Count.optional(),
  'limit-rpm': Count.optional(),
  'limit-burst-multiplier': Count.optional(),
  'whitelist-source-range': Ranges.optional(),
  'allowlist-source-range': Ranges.optional(),
  'denylist-source-range': Ranges.optional(),
  'upstream-vhost': z
    .string()
    .regex(/^[A-Za-z0-9.-]+(:\d+)?$/, 'must be a host')
    .optional(),
  'x-forwarded-prefix': z
    .string()
    .regex(/^\/[\w\-./~]*$/, 'must be a path')
    .optional(),
  affinity: z.literal('cookie').optional(),
  'session-cookie-name': Name.optional(),
  'session-cookie-secure': Flag.optional(),
  'session-cookie-samesite': z.enum(['None', 'Lax', 'Strict']).optional(),
  'session-cookie-max-age': Seconds.optional(),
  'session-cookie-expires': Seconds.optional(),
  'session-cookie-path': z.literal('/', 'must be /').optional(),
  'auth-type': z.literal('basic').optional(),
  'auth-secret': Subdomain.optional(),
  'auth-secret-type': z.literal('auth-file').optional(),
  'auth-realm': z
    .string()
    .regex(/^[\w .,:;!?()/-]+$/, 'must be plain text')
    .optional(),
  canary: Flag.optional(),
  'canary-by-header': z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header')
    .optional(),
  'canary-by-header-value': z
    .string()
    .regex(/^[\x20-\x26\x28-\x7e]+$/, "must be plain text without '")
    .optional(),
  'canary-by-cookie': Name.optional(),
  'canary-weight': z
    .string()
    .regex(/^(100|[1-9]?\d)$/, 'must be from 0 to 100')
    .transform(Number)
    .optional(),
});
export type IngressAnnotations = z.infer<typeof Annotations>;

const HONOURED_ANNOTATIONS = Object.keys(Annotations.shape).map((name) => PREFIX + name);

/** What is wrong with each annotation that would have to be honoured, by its full name. */
export function checkAnnotations(
  annotations: Readonly<Record<string, string>> = {},
): { name: string; message: string }[] {
  const unknown = Object.keys(annotations)
    .filter((name) => OTHERS.test(name) && !KNOWN_OTHERS.includes(name))
    .filter((name) => !HONOURED_ANNOTATIONS.includes(name))
    .map((name) => ({ name, message: 'the docker engine does not honour this annotation' }));
  const result = Annotations.safeParse(ours(annotations));
  const issues = result.success ? [] : result.error.issues;
  return [
    ...unknown,
    ...issues.map(({ path, message }) => ({ name: `${PREFIX}${String(path[0])}`, message })),
    ...alone(readAnnotations(annotations)),
  ];
}

/** Those that mean nothing without another one. */
const NEEDS: Partial<Record<keyof IngressAnnotations, keyof IngressAnnotations>> = {
  'auth-type': 'auth-secret',
  'auth-secret': 'auth-type',
  'auth-realm': 'auth-type',
  'session-cookie-name': 'affinity',
  'permanent-redirect-code': 'permanent-redirect',
  'cors-allow-origin': 'enable-cors',
  'cors-allow-methods': 'enable-cors',
  'cors-allow-headers': 'enable-cors',
  'cors-expose-headers': 'enable-cors',
  'cors-allow-credentials': 'enable-cors',
  'cors-max-age': 'enable-cors',
  'canary-weight': 'canary',
  'canary-by-header': 'canary',
  'canary-by-header-value': 'canary-by-header',
  'canary-by-cookie': 'canary',
};

function alone(annotations: IngressAnnotations): { name: string; message: string }[] {
  return (Object.keys(annotations) as (keyof IngressAnnotations)[]).flatMap((name) => {
    const needed = NEEDS[name];
    return needed === undefined || annotations[needed] !== undefined
      ? []
      : [{ name: PREFIX + name, message: `means nothing without ${PREFIX}${needed}` }];
  });
}

/** Of an Ingress whose annotations were accepted. */
export function readAnnotations(
  annotations: Readonly<Record<string, string>> = {},
): IngressAnnotations {
  const result = Annotations.safeParse(ours(annotations));
  return result.success ? result.data : {};
}

function ours(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    HONOURED_ANNOTATIONS.flatMap((name) => {
      const value = annotations[name];
      return value === undefined ? [] : [[name.slice(PREFIX.length), value]];
    }),
  );
}
