import { z } from 'zod';
import { isSafeSysctl, sysctlName } from '#core/docker/sysctls.ts';

/** What a container may do, as Kubernetes' `securityContext` says it for a pod and for each container. */

const Id = z.int().min(0).max(2_147_483_647);
const Capabilities = z
  .array(z.string().regex(/^(?!CAP_)[A-Z][A-Z_]*$/, 'must be a name such as NET_ADMIN, or ALL'))
  .default([]);

const profileTypes = z.enum(['RuntimeDefault', 'Unconfined', 'Localhost']);
interface Profile {
  type: z.infer<typeof profileTypes>;
  localhostProfile?: string | undefined;
}
function isNamed({ type, localhostProfile }: Profile): boolean {
  return (type === 'Localhost') === (localhostProfile !== undefined);
}
const NAMED = 'localhostProfile belongs to type Localhost, which needs it';

const Seccomp = z
  .strictObject({
    type: profileTypes,
    /** In the folder of the kubelet. */
    localhostProfile: z
      .string()
      .min(1)
      .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^:\0]*$/, "must be relative and not contain '..'")
      .optional(),
  })
  .refine(isNamed, NAMED);

const AppArmor = z
  .strictObject({
    type: profileTypes,
    localhostProfile: z
      .string()
      .max(4_095)
      .regex(/^\S(.*\S)?$/, 'must not begin or end with white space')
      .optional(),
  })
  .refine(isNamed, NAMED);
export type AppArmor = z.infer<typeof AppArmor>;

const shared = {
  runAsUser: Id.optional(),
  runAsGroup: Id.optional(),
  runAsNonRoot: z.boolean().optional(),
  seccompProfile: Seccomp.optional(),
  appArmorProfile: AppArmor.optional(),
};

const Sysctl = z.strictObject({
  name: z.string().refine(isSafeSysctl, {
    error: ({ input }) =>
      `forbidden sysctl: ${JSON.stringify(input)} is not among those that Kubernetes calls safe`,
  }),
  value: z.string(),
});

export const PodSecurityContext = z.strictObject({
  ...shared,
  supplementalGroups: z.array(Id).default([]),
  supplementalGroupsPolicy: z.literal('Merge').optional(),
  fsGroup: Id.optional(),
  /** Of claims alone: other volumes are new with each pod. */
  fsGroupChangePolicy: z.enum(['Always', 'OnRootMismatch']).optional(),
  sysctls: z
    .array(Sysctl)
    .refine(
      (sysctls) => new Set(sysctls.map(({ name }) => sysctlName(name))).size === sysctls.length,
      'has one twice',
    )
    .optional(),
});
export type PodSecurityContext = z.infer<typeof PodSecurityContext>;

export const SecurityContext = z.strictObject({
  ...shared,
  privileged: z.boolean().optional(),
  allowPrivilegeEscalation: z.boolean().default(true),
  readOnlyRootFilesystem: z.boolean().default(false),
  capabilities: z.strictObject({ add: Capabilities, drop: Capabilities }).optional(),
  /** Kubernetes takes `Unmasked` only of pods with users of their own (`hostUsers: false`). */
  procMount: z.literal('Default').optional(),
});
export type SecurityContext = z.infer<typeof SecurityContext>;
