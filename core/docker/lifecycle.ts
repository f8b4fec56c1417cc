import type { Container, InitContainer, PodTemplate } from '#core/docker/kinds.ts';
import type { Handler } from '#core/docker/kinds-lifecycle.ts';
import { httpAction } from '#core/docker/probes.ts';
import type { Hook, Hooks } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

const HOOKS = ['postStart', 'preStop'] as const;
const USER_AGENT = { 'User-Agent': 'windlass-lifecycle' };

/** The container's hooks, with named ports resolved. */
export function hooksOf(container: Pick<Container, 'lifecycle' | 'ports'>): Hooks {
  const { postStart, preStop } = container.lifecycle ?? {};
  return {
    ...(postStart === undefined ? {} : { postStart: hookOf(postStart, container) }),
    ...(preStop === undefined ? {} : { preStop: hookOf(preStop, container) }),
  };
}

function hookOf({ exec, httpGet, sleep }: Handler, container: Pick<Container, 'ports'>): Hook {
  if (exec !== undefined) return { kind: 'exec', command: exec.command };
  if (httpGet === undefined) return { kind: 'sleep', seconds: sleep?.seconds ?? 0 };
  const action = httpAction(httpGet, container);
  const isNamed = Object.keys(action.headers).some((name) => name.toLowerCase() === 'user-agent');
  return isNamed ? action : { ...action, headers: { ...action.headers, ...USER_AGENT } };
}

/** As Kubernetes refuses it. */
export function checkLifecycle(
  { lifecycle }: InitContainer,
  { os, terminationGracePeriodSeconds: grace }: PodTemplate['spec'],
  path: FieldPath,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  for (const name of HOOKS) {
    const { sleep } = lifecycle?.[name] ?? {};
    if (sleep !== undefined && sleep.seconds > grace)
      report(
        [...path, name, 'sleep', 'seconds'],
        `is more than terminationGracePeriodSeconds, which is ${grace}`,
      );
  }
  if (lifecycle?.stopSignal !== undefined && os === undefined)
    report(
      [...path, 'stopSignal'],
      'needs the os of the pod',
      'say os: { name: linux } in its spec',
    );
}

/** Any answer to an HTTP request is good, as the kubelet takes it. */
export function hookSucceeded(
  { kind }: Hook,
  { ok, answer }: { ok: boolean; answer: string },
): boolean {
  return ok || (kind === 'http' && answer.startsWith('HTTP '));
}

/** At least so long has a process to end after its preStop hook, as the kubelet gives it. */
const LEAST_GRACE_SECONDS = 2;

/** What is left of the grace of a container whose preStop hook began so long ago. */
export function graceAfter(graceSeconds: number, elapsedMs: number): number {
  const left = graceSeconds - Math.floor(Math.max(0, elapsedMs) / 1_000);
  return Math.max(LEAST_GRACE_SECONDS, left);
}
