import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import { textAt } from '#core/kubernetes/status-fields.ts';

/** What a pod needs to start; until then nobody asks why it has not. */
const PATIENCE_MS = 10_000;

/** Whether it should be ready by now and is not, so that it is worth asking what Kubernetes has met with. */
export function isLate(
  { ready, phase, isEnding, unschedulable, createdAt }: KeptPod,
  now: number,
): boolean {
  const isUnderWay = !ready && phase === undefined && !isEnding && unschedulable === undefined;
  return isUnderWay && now - createdAt > PATIENCE_MS;
}

/** The last of the warnings about a pod: `FailedMount: configmap "x" not found`. */
export function latestWarning(events: readonly LiveObject[]): string | undefined {
  const warnings = events.filter((each) => textAt(each, 'type') === 'Warning');
  const [latest] = warnings.toSorted((one, other) => (timeOf(one) < timeOf(other) ? 1 : -1));
  if (latest === undefined) return undefined;
  return [textAt(latest, 'reason'), textAt(latest, 'message').trim()]
    .filter((each) => each !== '')
    .join(': ');
}

function timeOf(event: LiveObject): string {
  return (
    textAt(event, 'lastTimestamp') ||
    textAt(event, 'eventTime') ||
    (event.metadata.creationTimestamp ?? '')
  );
}
