import { z } from 'zod';
import { Subdomain } from '#core/docker/kind-words.ts';

/** What a pod's containers find in /etc/hosts and whom they ask for names. */

export const HostAlias = z.strictObject({
  ip: z.ipv4(),
  hostnames: z.array(Subdomain).nonempty(),
});
export type HostAlias = z.infer<typeof HostAlias>;

export const DnsPolicy = z.enum(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']);
export type DnsPolicy = z.infer<typeof DnsPolicy>;

export const DnsConfig = z.strictObject({
  nameservers: z.array(z.ipv4()).max(3).default([]),
  searches: z.array(Subdomain).max(32).default([]),
  options: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]+$/, 'must be an option of resolv.conf, such as ndots'),
        value: z.string().regex(/^\d+$/, 'must be a number, in quotes').optional(),
      }),
    )
    .default([]),
});
export type DnsConfig = z.infer<typeof DnsConfig>;
