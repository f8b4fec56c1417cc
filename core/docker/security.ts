import type { AppArmor, PodSecurityContext, SecurityContext } from '#core/docker/kinds-security.ts';
import { sysctlName } from '#core/docker/sysctls.ts';
import type { ContainerSecurity, SecurityProfile } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** What the container says counts before what its pod says. */
export function securityOf(
  pod: PodSecurityContext | undefined,
  container: SecurityContext | undefined,
): ContainerSecurity {
  const { user, group } = whoRuns(pod, container);
  const seccomp = container?.seccompProfile ?? pod?.seccompProfile;
  const appArmor = container?.appArmorProfile ?? pod?.appArmorProfile;
  const groups = [
    ...(pod?.supplementalGroups ?? []),
    ...(pod?.fsGroup === undefined ? [] : [pod.fsGroup]),
  ];
  return {
    ...(user === undefined ? {} : { user: group === undefined ? `${user}` : `${user}:${group}` }),
    groups: [...new Set(groups)],
    addCapabilities: container?.capabilities?.add ?? [],
    dropCapabilities: container?.capabilities?.drop ?? [],
    readOnlyRoot: container?.readOnlyRootFilesystem ?? false,
    noNewPrivileges: container?.allowPrivilegeEscalation === false,
    privileged: container?.privileged ?? false,
    seccomp: profileOf(seccomp),
    ...(appArmor === undefined ? {} : { appArmor: profileOf(appArmor) }),
  };
}

/** What the pod sets of its own kernel settings. */
export function sysctlsOf(pod: PodSecurityContext | undefined): Record<string, string> {
  return Object.fromEntries(
    (pod?.sysctls ?? []).map(({ name, value }) => [sysctlName(name), value] as const),
  );
}

function profileOf(profile: AppArmor | undefined): SecurityProfile {
  const { type = 'RuntimeDefault', localhostProfile } = profile ?? {};
  if (localhostProfile !== undefined) return { localhost: localhostProfile };
  return type === 'Unconfined' ? 'unconfined' : 'default';
}

/** What could not start on Kubernetes, and what only the image could tell. */
export function checkSecurity(
  pod: PodSecurityContext | undefined,
  container: SecurityContext | undefined,
  path: FieldPath,
  report: Report,
): void {
  const { user, group, nonRoot } = whoRuns(pod, container);
  if (group !== undefined && user === undefined)
    report([...path, 'runAsGroup'], 'needs a runAsUser beside it');
  if (nonRoot === true && user === undefined)
    report(
      [...path, 'runAsNonRoot'],
      'the docker engine does not read the user of an image',
      'say runAsUser too',
    );
  if (nonRoot === true && user === 0)
    report([...path, 'runAsNonRoot'], 'the container runs as root: runAsUser is 0');
  if (container?.allowPrivilegeEscalation === false && container.privileged === true)
    report([...path, 'allowPrivilegeEscalation'], 'cannot be false with privileged');
  const adds = container?.capabilities?.add ?? [];
  if (container?.allowPrivilegeEscalation === false && adds.includes('SYS_ADMIN'))
    report([...path, 'allowPrivilegeEscalation'], 'cannot be false with the capability SYS_ADMIN');
}

function whoRuns(
  pod: PodSecurityContext | undefined,
  container: SecurityContext | undefined,
): { user: number | undefined; group: number | undefined; nonRoot: boolean | undefined } {
  return {
    user: container?.runAsUser ?? pod?.runAsUser,
    group: container?.runAsGroup ?? pod?.runAsGroup,
    nonRoot: container?.runAsNonRoot ?? pod?.runAsNonRoot,
  };
}
