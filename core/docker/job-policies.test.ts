import { describe, expect, it } from 'vitest';
import { isSuccess, SHUTDOWN_MS, verdictOf } from '#core/docker/job-policies.ts';
import type { FailureRule } from '#core/docker/kinds-job.ts';
import { running } from '#core/docker/testing/simulator.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';
import type { LiveContainer, LivePod } from '#core/docker/world.ts';

function pod(exits: Record<string, number>, change: Partial<LiveContainer> = {}): LivePod {
  const containers = Object.entries(exits).map(([name, exitCode]) => [
    name,
    { ...running(0), state: 'exited', exitCode, ...change },
  ]);
  return {
    ...readyPod('job', 0),
    containers: Object.fromEntries(containers) as LivePod['containers'],
  };
}

function onCodes(
  action: FailureRule['action'],
  operator: 'In' | 'NotIn',
  values: number[],
  containerName?: string,
): FailureRule {
  return {
    action,
    onExitCodes: { operator, values, ...(containerName === undefined ? {} : { containerName }) },
  };
}

const DISRUPTED: FailureRule = {
  action: 'Ignore',
  onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }],
};

/** One that failed at that time, whose sandbox ended a minute after the start. */
function wentDown(sandbox: Partial<LiveContainer>, finishedAt: number): LivePod {
  const failed = pod({ a: 1 }, { joined: false, finishedAt });
  return { ...failed, sandbox: { ...running(0), finishedAt: 60_000, ...sandbox } };
}

describe('the verdict on a pod that failed', () => {
  it.each<{ name: string; rules: FailureRule[]; pod: LivePod; action: string }>([
    { name: 'counts without rules', rules: [], pod: pod({ a: 3 }), action: 'Count' },
    {
      name: 'is that of the first rule that is about it',
      rules: [
        onCodes('Ignore', 'In', [4]),
        onCodes('FailJob', 'In', [3]),
        onCodes('Ignore', 'In', [3]),
      ],
      pod: pod({ a: 3 }),
      action: 'FailJob',
    },
    {
      name: 'is about any container',
      rules: [onCodes('FailJob', 'In', [3])],
      pod: pod({ a: 0, b: 3 }),
      action: 'FailJob',
    },
    {
      name: 'is about the one that is named',
      rules: [onCodes('FailJob', 'In', [3], 'a')],
      pod: pod({ a: 1, b: 3 }),
      action: 'Count',
    },
    {
      name: 'is about codes that are not named',
      rules: [onCodes('FailIndex', 'NotIn', [1, 2])],
      pod: pod({ a: 0, b: 3 }),
      action: 'FailIndex',
    },
    {
      name: 'is about none that ended well',
      rules: [onCodes('FailIndex', 'NotIn', [1, 3])],
      pod: pod({ a: 0, b: 3 }),
      action: 'Count',
    },
    {
      name: 'is about one that Docker took with it',
      rules: [DISRUPTED],
      pod: pod({ a: 137 }, { joined: false }),
      action: 'Ignore',
    },
    {
      name: 'is about one whose sandbox is down',
      rules: [DISRUPTED],
      pod: { ...pod({ a: 137 }), sandbox: { ...running(0), state: 'exited' } },
      action: 'Ignore',
    },
    {
      name: 'is about one that ended as its sandbox was ended',
      rules: [DISRUPTED],
      pod: wentDown({ state: 'exited' }, 60_000 - SHUTDOWN_MS),
      action: 'Ignore',
    },
    {
      name: 'leaves out one that failed itself before its sandbox went down',
      rules: [DISRUPTED],
      pod: wentDown({ state: 'exited' }, 60_000 - SHUTDOWN_MS - 1),
      action: 'Count',
    },
    {
      name: 'leaves it out too once Docker has started the sandbox again',
      rules: [DISRUPTED],
      pod: wentDown({ state: 'running' }, 60_000 - SHUTDOWN_MS - 1),
      action: 'Count',
    },
    {
      name: 'leaves out one that failed itself',
      rules: [DISRUPTED],
      pod: pod({ a: 1 }),
      action: 'Count',
    },
  ])('$name', ({ rules, pod: failed, action }) => {
    expect(verdictOf(rules, failed).action).toBe(action);
  });

  it('says which rule it was', () => {
    expect(verdictOf([onCodes('FailJob', 'In', [3])], pod({ main: 3 })).message).toBe(
      'container main of pod job-0 failed with exit code 3 matching FailJob rule at index 0',
    );
  });
});

describe('a success policy', () => {
  it.each([
    [[{ succeededCount: 2 }], [4, 7], true],
    [[{ succeededCount: 2 }], [4], false],
    [[{ succeededIndexes: '0,2-3' }], [0, 2, 3], true],
    [[{ succeededIndexes: '0,2-3' }], [0, 1, 2], false],
    [[{ succeededIndexes: '0-3', succeededCount: 1 }], [5, 2], true],
    [[{ succeededIndexes: '0-3', succeededCount: 1 }], [5, 4], false],
    [[{ succeededIndexes: '9' }, { succeededCount: 1 }], [5], true],
    [[], [0, 1, 2], false],
  ])('%j with %j: %s', (rules, succeeded, expected) => {
    expect(isSuccess(rules, succeeded)).toBe(expected);
  });
});
