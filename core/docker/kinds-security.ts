import { z } from 'zod';

/** What a container may do, as Kubernetes' `securityContext` says it for a pod and for each container. */

const Id = z.int().min(0).max(2_147_483_647);
const Capabilities = z
  .array(z.string().regex(/^(?!CAP_)[A-Z][A-Z_]*$/, 'must be a name such as NET_ADMIN, or ALL'))
  .default([]);
const Seccomp = z.strictObject({ type: z.enum(['RuntimeDefault', 'Unconfined']) });

const shared = {
  runAsUser: Id.optional(),
  runAsGroup: Id.optional(),
  runAsNonRoot: z.boolean().optional(),
  seccompProfile: Seccomp.optional(),
};

export const PodSecurityContext = z.strictObject({
  ...shared,
  supplementalGroups: z.array(Id).default([]),
});
export type PodSecurityContext = z.infer<typeof PodSecurityContext>;

export const SecurityContext = z.strictObject({
  ...shared,
  allowPrivilegeEscalation: z.boolean().default(true),
  readOnlyRootFilesystem: z.boolean().default(false),
  capabilities: z.strictObject({ add: Capabilities, drop: Capabilities }).optional(),
});
export type SecurityContext = z.infer<typeof SecurityContext>;
