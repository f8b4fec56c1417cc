import { describe, expect, it } from 'vitest';
import type { ContainerStatus } from '#core/engine.ts';
import { badEndsOf, withLastLines } from '#core/kubernetes/last-lines.ts';
import { failureOf, troubleOf } from '#core/kubernetes/pod-health.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import { keptPod } from '#core/kubernetes/testing/kept-pod.ts';

function pod(container: Partial<ContainerStatus>, phase?: 'Failed'): KeptPod {
  return keptPod({
    ...(phase === undefined ? {} : { phase }),
    containers: [
      { name: 'main', image: 'web:1', state: 'waiting', ready: false, restarts: 0, ...container },
    ],
  });
}

const looping = pod({
  restarts: 3,
  reason: 'CrashLoopBackOff',
  message: 'back-off 40s restarting failed container',
  last: { reason: 'Error', exitCode: 3 },
});
const failed = pod({ state: 'terminated', reason: 'Error', exitCode: 4 }, 'Failed');

describe('the last lines of a container', () => {
  it.each([
    [
      'that waits to be started again, of the one before',
      looping,
      [{ container: 'main', run: 3, previous: true }],
    ],
    ['that has failed, of itself', failed, [{ container: 'main', run: 0, previous: false }]],
    [
      'that was started again, of the one before',
      pod({ state: 'running', restarts: 1, last: { reason: 'Error', exitCode: 1 } }),
      [{ container: 'main', run: 0, previous: true }],
    ],
    ['that has completed: none', pod({ state: 'terminated', exitCode: 0 }), []],
    ['that waits for its image: none', pod({ reason: 'ImagePullBackOff' }), []],
  ])('%s', (_, given, ends) => {
    expect(badEndsOf(given)).toEqual(ends);
  });

  it('say why it does not get well', () => {
    const told = withLastLines(looping, () => ['connecting', 'no database']);
    expect(troubleOf(told)).toBe(
      'main in web-x: CrashLoopBackOff: exit code 3, 3 restarts; last lines: connecting | no database',
    );
    expect(failureOf(withLastLines(failed, () => ['no schema']))).toBe(
      'main in web-x: exit code 4; last lines: no schema',
    );
  });

  it('come after the message that it left', () => {
    const left = pod({
      ...looping.containers[0],
      last: { reason: 'Error', exitCode: 3, message: 'left' },
    });
    expect(withLastLines(left, () => ['other'])).toEqual(left);
    expect(withLastLines(looping, () => undefined)).toEqual(looping);
  });
});
