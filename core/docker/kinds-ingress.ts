import { z } from 'zod';
import { Label, metadata, Port, PortName, Strings, Subdomain } from '#core/docker/kind-words.ts';

const HOST = /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const Host = z
  .string()
  .max(253)
  .regex(HOST, 'must be a name in lower case, of which the first label may be *');
/** What HAProxy can have between single quotes. */
const Path = z
  .string()
  .regex(/^\/[\x21-\x26\x28-\x7e]*$/, "must begin with / and hold neither spaces nor '");

const Backend = z.strictObject({
  service: z.strictObject({
    name: Label,
    port: z
      .strictObject({ name: PortName.optional(), number: Port.optional() })
      .refine(
        ({ name, number }) => (name === undefined) !== (number === undefined),
        'must have one of name and number',
      ),
  }),
});
export type Backend = z.infer<typeof Backend>;

const PathRule = z.strictObject({
  path: Path.default('/'),
  pathType: z.enum(['Exact', 'Prefix', 'ImplementationSpecific']),
  backend: Backend,
});
export type PathRule = z.infer<typeof PathRule>;

export const Ingress = z.strictObject({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('Ingress'),
  metadata: metadata(Subdomain),
  spec: z
    .strictObject({
      ingressClassName: Subdomain.optional(),
      defaultBackend: Backend.optional(),
      rules: z
        .array(
          z.strictObject({
            host: Host.optional(),
            http: z.strictObject({ paths: z.array(PathRule).nonempty() }).optional(),
          }),
        )
        .default([]),
      tls: z
        .array(
          z.strictObject({ hosts: z.array(Host).default([]), secretName: Subdomain.optional() }),
        )
        .default([]),
    })
    .refine(
      ({ defaultBackend, rules }) => defaultBackend !== undefined || rules.length > 0,
      'must have rules or a defaultBackend',
    ),
});
export type Ingress = z.infer<typeof Ingress>;

/** One edge serves every class, whatever controller it names. */
export const IngressClass = z.strictObject({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('IngressClass'),
  metadata: z.strictObject({
    name: Subdomain,
    labels: Strings.optional(),
    annotations: Strings.optional(),
  }),
  spec: z.strictObject({ controller: z.string().min(1) }),
});
