import { describe, expect, it } from 'vitest';
import { PodSecurityContext, SecurityContext } from '#core/docker/kinds-security.ts';
import { checkSecurity, securityOf, sysctlsOf } from '#core/docker/security.ts';

function problemsOf(pod: object | undefined, container: object | undefined): string[] {
  const found: string[] = [];
  checkSecurity(
    pod && PodSecurityContext.parse(pod),
    container && SecurityContext.parse(container),
    [],
    (path, message) => found.push(`${path.join('.')} ${message}`),
  );
  return found;
}

describe('securityOf', () => {
  it('leaves all to the image and to Docker where nothing is said', () => {
    expect(securityOf(undefined, undefined)).toEqual({
      groups: [],
      addCapabilities: [],
      dropCapabilities: [],
      readOnlyRoot: false,
      noNewPrivileges: false,
      privileged: false,
      seccomp: 'default',
    });
  });

  it('takes what a container says before what its pod says', () => {
    const pod = PodSecurityContext.parse({
      runAsUser: 1_000,
      runAsGroup: 2_000,
      supplementalGroups: [3_000],
      seccompProfile: { type: 'Unconfined' },
    });
    const container = SecurityContext.parse({
      runAsUser: 0,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    const { user, groups, seccomp } = securityOf(pod, container);
    expect({ user, groups, seccomp }).toEqual({
      user: '0:2000',
      groups: [3_000],
      seccomp: 'default',
    });
    expect(securityOf(pod, undefined)).toMatchObject({
      user: '1000:2000',
      seccomp: 'unconfined',
    });
  });
});

it('runs containers in the group of their volumes, with the profile that is named', () => {
  const pod = PodSecurityContext.parse({
    supplementalGroups: [5, 7],
    fsGroup: 7,
    appArmorProfile: { type: 'Localhost', localhostProfile: 'strict' },
    seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' },
    sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '0' }],
  });
  expect(securityOf(pod, undefined)).toMatchObject({
    groups: [5, 7],
    appArmor: { localhost: 'strict' },
    seccomp: { localhost: 'a/b.json' },
  });
  expect(sysctlsOf(pod)).toEqual({ 'net.ipv4.tcp_syncookies': '0' });
});

describe('PodSecurityContext', () => {
  it.each([
    [{ sysctls: [{ name: 'vm.swappiness', value: '1' }] }, 'forbidden sysctl: "vm.swappiness" is'],
    [
      {
        sysctls: [
          { name: 'net.ipv4.tcp_rmem', value: '1' },
          { name: 'net/ipv4/tcp_rmem', value: '2' },
        ],
      },
      'has one twice',
    ],
    [{ seccompProfile: { type: 'Localhost' } }, 'localhostProfile belongs'],
    [{ seccompProfile: { type: 'Unconfined', localhostProfile: 'a' } }, 'localhostProfile belongs'],
    [{ seccompProfile: { type: 'Localhost', localhostProfile: '../a' } }, 'must be relative'],
    [{ supplementalGroupsPolicy: 'Strict' }, 'Merge'],
  ])('refuses %j', (said, message) => {
    const [issue] = PodSecurityContext.safeParse(said).error?.issues ?? [];
    expect(issue?.message).toContain(message);
  });
});

describe('checkSecurity', () => {
  it.each([
    [undefined, { runAsGroup: 5 }, 'runAsGroup needs a runAsUser beside it'],
    [{ runAsNonRoot: true }, {}, 'runAsNonRoot the docker engine does not read'],
    [{ runAsNonRoot: true }, { runAsUser: 0 }, 'runAsNonRoot the container runs as root'],
    [
      undefined,
      { allowPrivilegeEscalation: false, capabilities: { add: ['SYS_ADMIN'] } },
      'allowPrivilegeEscalation cannot be false with the capability',
    ],
    [
      undefined,
      { allowPrivilegeEscalation: false, privileged: true },
      'allowPrivilegeEscalation cannot be false with privileged',
    ],
  ])('refuses %j with %j', (pod, container, problem) => {
    expect(problemsOf(pod, container)).toEqual([expect.stringContaining(problem)]);
  });

  it.each([
    [undefined, undefined],
    [{ runAsNonRoot: true, runAsUser: 1_000 }, {}],
    [{ runAsNonRoot: true }, { runAsNonRoot: false }],
    [{ runAsUser: 5 }, { runAsGroup: 6 }],
  ])('takes %j with %j', (pod, container) => {
    expect(problemsOf(pod, container)).toEqual([]);
  });
});
