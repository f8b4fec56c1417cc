import { describe, expect, it } from 'vitest';
import { PodSecurityContext, SecurityContext } from '#core/docker/kinds-security.ts';
import { checkSecurity, securityOf } from '#core/docker/security.ts';

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
      unconfined: false,
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
    const { user, groups, unconfined } = securityOf(pod, container);
    expect({ user, groups, unconfined }).toEqual({
      user: '0:2000',
      groups: [3_000],
      unconfined: false,
    });
    expect(securityOf(pod, undefined)).toMatchObject({ user: '1000:2000', unconfined: true });
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
