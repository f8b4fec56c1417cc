import { describe, expect, it } from 'vitest';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { isLate, latestWarning } from '#core/kubernetes/pod-warnings.ts';
import { keptPod } from '#core/kubernetes/testing/kept-pod.ts';

const NOW = 100_000;
const pod = keptPod();

function event(type: string, reason: string, lastTimestamp: string | undefined): LiveObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: reason,
      uid: reason,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:01Z',
    },
    type,
    reason,
    message: `${reason} of web `,
    ...(lastTimestamp === undefined ? {} : { lastTimestamp }),
  };
}

describe('what a pod has met with', () => {
  it.each([
    ['is asked for where it is late', {}, true],
    ['is not asked for at once', { createdAt: NOW - 1_000 }, false],
    ['is not asked for where it is ready', { ready: true }, false],
    ['is not asked for where it has ended', { phase: 'Failed' as const }, false],
    ['is not asked for where it goes', { isEnding: true }, false],
    ['is known where no node takes it', { unschedulable: 'no node takes it' }, false],
  ])('%s', (_, given, isSo) => {
    expect(isLate({ ...pod, ...given }, NOW)).toBe(isSo);
  });

  it('is the last warning', () => {
    const events = [
      event('Warning', 'FailedMount', '2026-01-01T00:00:02Z'),
      event('Warning', 'Unhealthy', '2026-01-01T00:00:03Z'),
      event('Normal', 'Pulled', '2026-01-01T00:00:04Z'),
      event('Warning', 'Old', undefined),
    ];
    expect(latestWarning(events)).toBe('Unhealthy: Unhealthy of web');
    expect(latestWarning([])).toBeUndefined();
  });
});
