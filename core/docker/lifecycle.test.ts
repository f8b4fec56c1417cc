import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { graceAfter, hooksOf, hookSucceeded } from '#core/docker/lifecycle.ts';
import { Lifecycle } from '#core/docker/kinds-lifecycle.ts';
import { isReady, readySince, unreadyReason } from '#core/docker/readiness.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';
import type { LivePod, PostStart } from '#core/docker/world.ts';
import { parseManifests } from '#core/resources/parse.ts';

const ports = [{ name: 'admin', containerPort: 9_000, protocol: 'TCP' as const }];

describe('hooks', () => {
  it('ask named ports, by a name of their own', () => {
    const lifecycle = Lifecycle.parse({ preStop: { httpGet: { port: 'admin', path: '/bye' } } });
    expect(hooksOf({ lifecycle, ports }).preStop).toMatchObject({
      kind: 'http',
      port: 9_000,
      path: '/bye',
      headers: { 'User-Agent': 'windlass-lifecycle' },
    });
  });

  it('take any answer to a request', () => {
    const hook = hooksOf({
      lifecycle: Lifecycle.parse({ preStop: { httpGet: { port: 1 } } }),
      ports,
    });
    const { preStop = { kind: 'sleep', seconds: 0 } } = hook;
    expect(hookSucceeded(preStop, { ok: false, answer: 'HTTP 500: no' })).toBe(true);
    expect(hookSucceeded(preStop, { ok: false, answer: 'connection refused' })).toBe(false);
    expect(hookSucceeded({ kind: 'exec', command: ['x'] }, { ok: false, answer: 'HTTP ' })).toBe(
      false,
    );
  });

  it('leave a process two seconds at least', () => {
    expect(graceAfter(30, 4_900)).toBe(26);
    expect(graceAfter(30, 29_500)).toBe(2);
    expect(graceAfter(30, -5_000)).toBe(30);
  });
});

describe('a pod with a postStart hook', () => {
  function started(postStart: PostStart): LivePod {
    const pod = readyPod('web', 1);
    const containers = Object.entries(pod.containers).map(([name, each]) => [
      name,
      { ...each, postStart },
    ]);
    return { ...pod, containers: Object.fromEntries(containers) as LivePod['containers'] };
  }

  it('is ready when the hook has ended well', () => {
    const at = 5_000_000_000_000;
    expect(isReady(started({ state: 'runs', answer: '', at }))).toBe(false);
    const failed = started({ state: 'failed', answer: 'FailedPostStartHook: exit code 1', at });
    expect(isReady(failed)).toBe(false);
    expect(unreadyReason(failed, at)).toContain('FailedPostStartHook: exit code 1');
    const done = started({ state: 'done', answer: '', at });
    expect(isReady(done)).toBe(true);
    expect(readySince(done)).toBe(at);
  });
});

describe('what is refused', () => {
  function problemsOf(lifecycle: string, spec = ''): string[] {
    const text = `apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  terminationGracePeriodSeconds: 10
  ${spec}
  containers:
    - name: web
      image: web
      ${lifecycle}
`;
    const parsed = parseManifests([{ path: 'web.yaml', text }]);
    return [...parsed.problems, ...acceptResources(parsed)].map(({ message }) => message);
  }

  it.each([
    [
      'lifecycle: { preStop: { sleep: { seconds: 11 } } }',
      'is more than terminationGracePeriodSeconds, which is 10',
    ],
    ['lifecycle: { preStop: { tcpSocket: { port: 80 } } }', 'Kubernetes itself takes no such hook'],
    ['lifecycle: { preStop: {} }', 'must have one of exec, httpGet and sleep'],
    [
      'lifecycle: { postStart: { httpGet: { port: admin } } }',
      'the container has no port named admin',
    ],
    ['lifecycle: { stopSignal: SIGUSR1 }', 'needs the os of the pod'],
    ['lifecycle: { stopSignal: USR1 }', 'must be a signal'],
    [
      'readinessProbe: { exec: { command: [a] }, terminationGracePeriodSeconds: 3 }',
      'Kubernetes too refuses it',
    ],
  ])('%s', (lifecycle, message) => {
    expect(problemsOf(lifecycle).join('\n')).toContain(message);
  });

  it.each([
    [
      'lifecycle: { preStop: { sleep: { seconds: 10 } }, postStart: { sleep: { seconds: 0 } } }',
      '',
    ],
    ['lifecycle: { stopSignal: SIGRTMIN+3 }', 'os: { name: linux }'],
  ])('not %s', (lifecycle, spec) => {
    expect(problemsOf(lifecycle, spec)).toEqual([]);
  });

  it('in an init container that ends', () => {
    const init =
      'initContainers: [{ name: a, image: a, lifecycle: { preStop: { sleep: { seconds: 1 } } } }]';
    expect(problemsOf('', init).join('\n')).toContain('an init container that ends has none');
  });
});
