import { z } from 'zod';

/** What the schemas of several kinds have in common. Rules of names are Kubernetes' own. */

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
export const Label = z
  .string()
  .max(63)
  .regex(DNS_LABEL, 'must be lower case letters, digits and inner hyphens');
export const Subdomain = z
  .string()
  .max(253)
  .regex(DNS_SUBDOMAIN, 'must be lower case letters, digits, and inner hyphens and dots');
export const DataKey = z
  .string()
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/, 'must be letters, digits, -, _ and .');
/** With its padding, as Kubernetes wants it; lines may be broken. */
export const Base64 = z
  .string()
  .refine(
    (text) =>
      /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
        text.replace(/\s/g, ''),
      ),
    'must be base64',
  )
  .transform((text) => text.replace(/\s/g, ''));
export const Port = z.int().min(1).max(65_535);
export const PortName = z
  .string()
  .max(15)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower case letters, digits and inner hyphens');
export const Protocol = z
  .enum(['TCP', 'UDP'], {
    error: ({ input }) =>
      input === 'SCTP'
        ? 'must be TCP or UDP: neither of the proxies carries SCTP'
        : 'must be TCP or UDP',
  })
  .default('TCP');
export type Protocol = z.infer<typeof Protocol>;
export const Strings = z.record(z.string(), z.string());
/** `tier`, or with the domain of who made it up: `topology.kubernetes.io/zone`. */
export const LabelName = z
  .string()
  .regex(
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
    'must be letters, digits and inner -, _ and ., a domain and a slash before them if any',
  );
/** One that can be asked for. */
export const LabelValue = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
    'must be letters, digits and inner -, _ and ., and not empty: Swarm compares no empty values',
  );
export const Amount = z.union([
  z.int().min(0),
  z.string().regex(/^\d{1,3}%$/, 'must be a number or a percentage such as 25%'),
]);

export function metadata<Name extends z.ZodType>(
  name: Name,
): z.ZodObject<
  {
    name: Name;
    namespace: z.ZodOptional<typeof Label>;
    labels: z.ZodOptional<typeof Strings>;
    annotations: z.ZodOptional<typeof Strings>;
  },
  z.core.$strict
> {
  return z.strictObject({
    name,
    namespace: Label.optional(),
    labels: Strings.optional(),
    annotations: Strings.optional(),
  });
}
