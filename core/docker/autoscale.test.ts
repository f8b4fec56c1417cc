import { describe, expect, it } from 'vitest';
import { autoscale } from '#core/docker/autoscale.ts';
import { HorizontalPodAutoscaler } from '#core/docker/kinds-autoscaler.ts';
import type { AutoscalerSpec } from '#core/docker/kinds-autoscaler.ts';
import type { SampledPod } from '#core/docker/metric-replicas.ts';
import type { ScalingHistory } from '#core/docker/scaling-rules.ts';

const NOW = 10_000_000;
const EMPTY: ScalingHistory = { recommendations: [], events: [] };
const CONTAINERS = [{ name: 'main', cpu: 0.1, memory: 100 * 2 ** 20 }];

function specOf(spec: object = {}): AutoscalerSpec {
  return HorizontalPodAutoscaler.parse({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 100,
      metrics: [cpuAt(50)],
      ...spec,
    },
  }).spec;
}

function cpuAt(averageUtilization: number): object {
  return {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
  };
}

function memoryAt(averageValue: string): object {
  return {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue } },
  };
}

/** Of a pod that uses so many percent of what it requests. */
function at(percent: number, mebibytes = 10): SampledPod {
  const main = { cpu: percent / 1_000, memory: mebibytes * 2 ** 20 };
  return { pending: false, starting: false, usage: { main } };
}
const unmeasured: SampledPod = { pending: false, starting: false, usage: {} };
const pending: SampledPod = { ...unmeasured, pending: true };

function starting(percent: number): SampledPod {
  return { ...at(percent), starting: true };
}

function times(count: number, pod: SampledPod): SampledPod[] {
  return Array.from({ length: count }, () => pod);
}

function replicasOf(
  pods: readonly SampledPod[],
  spec: object = {},
  current = pods.length,
  history: ScalingHistory = EMPTY,
): number {
  const measurement = { pods, containers: CONTAINERS };
  return autoscale(specOf(spec), current, measurement, history, NOW).replicas;
}

/** Down at once, and as far as it is asked. */
const quick = { behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } };

describe('a metric', () => {
  it.each<[string, SampledPod[], number]>([
    ['asks for the ratio of what is used', times(2, at(100)), 4],
    ['is rounded up', times(2, at(65)), 3],
    ['asks for nothing within a tenth above', times(2, at(55)), 2],
    ['nor within a tenth below', times(2, at(45)), 2],
    ['asks for fewer', times(4, at(20)), 2],
    ['is an average', [at(0), at(200)], 4],
  ])('%s', (_, pods, expected) => {
    expect(replicasOf(pods, quick)).toBe(expected);
  });

  it.each<[string, SampledPod[], number]>([
    ['takes a pod that is not measured as idle where it scales up', [at(100), unmeasured], 2],
    ['scales up all the same where the others need more', [...times(3, at(200)), unmeasured], 8],
    ['takes it as busy where it scales down', [...times(3, at(10)), unmeasured], 3],
    ['takes a pod that is not running as idle where it scales up', [at(200), pending], 4],
    ['and does not count it where it scales down', [...times(3, at(20)), pending], 2],
    ['takes the cpu of a pod that starts as none where it scales up', [at(60), starting(900)], 2],
    ['and does not count it where it scales down', [...times(2, at(20)), starting(900)], 1],
  ])('%s', (_, pods, expected) => {
    expect(replicasOf(pods, quick)).toBe(expected);
  });

  it('counts memory of a pod that starts', () => {
    const pods = [{ ...starting(0), usage: { main: { memory: 30 * 2 ** 20 } } }];
    expect(replicasOf(pods, { metrics: [memoryAt('10Mi')] })).toBe(3);
  });

  it('is of one container only where it names it', () => {
    const busy = { cpu: 0.4, memory: 0 };
    const pods = [{ ...at(0), usage: { main: { cpu: 0.05, memory: 0 }, side: busy } }];
    function metric(container: string): object {
      const target = { type: 'Utilization', averageUtilization: 50 };
      return { type: 'ContainerResource', containerResource: { name: 'cpu', container, target } };
    }
    const containers = [...CONTAINERS, { name: 'side', cpu: 0.1 }];
    const found = ['main', 'side'].map((name) =>
      autoscale(specOf({ metrics: [metric(name)] }), 1, { pods, containers }, EMPTY, NOW),
    );
    expect(found.map(({ replicas, reason }) => [replicas, reason])).toEqual([
      [1, 'cpu of main 50 % of 50 %'],
      [5, 'cpu of side 400 % of 50 % (as fast as scaleUp lets it)'],
    ]);
  });
});

describe('several metrics', () => {
  it('ask for the most of what each asks for', () => {
    expect(replicasOf([at(50, 30)], { metrics: [cpuAt(50), memoryAt('10Mi')] })).toBe(3);
  });

  const half = { metrics: [cpuAt(50), memoryAt('10Mi')], ...quick };

  it('scale down by none where one is not known', () => {
    const pods = times(4, { ...at(0, 1), usage: { main: { memory: 2 ** 20 } } });
    const measurement = { pods, containers: CONTAINERS };
    expect(autoscale(specOf(half), 4, measurement, EMPTY, NOW)).toMatchObject({
      replicas: 4,
      health: { status: 'Degraded', reason: 'no cpu of its pods was measured yet' },
    });
  });

  it('scale up by the others', () => {
    const pods = [{ ...at(0), usage: { main: { memory: 30 * 2 ** 20 } } }];
    expect(replicasOf(pods, half)).toBe(3);
  });
});

describe('its bounds', () => {
  it.each([
    ['are kept without any metric, up', [], { minReplicas: 3 }, 1, 3],
    ['and down', [], { maxReplicas: 2 }, 5, 2],
    ['hold what is asked for, above', times(2, at(500)), { maxReplicas: 3 }, 2, 3],
    ['and below', times(4, at(0)), { minReplicas: 2, ...quick }, 4, 2],
  ])('%s', (_, pods, spec, current, expected) => {
    expect(replicasOf(pods, spec, current)).toBe(expected);
  });

  it('are told', () => {
    const measurement = { pods: times(2, at(100)), containers: CONTAINERS };
    const found = autoscale(specOf({ maxReplicas: 3 }), 2, measurement, EMPTY, NOW);
    expect(found.reason).toBe('cpu 100 % of 50 % (maxReplicas)');
  });
});

it('asks nothing of containers that request nothing', () => {
  const measurement = { pods: [at(100)], containers: [{ name: 'main' }] };
  expect(autoscale(specOf(), 1, measurement, EMPTY, NOW).health).toEqual({
    status: 'Degraded',
    reason: 'container main requests no cpu',
  });
});

interface Tick {
  second: number;
  percent: number;
}

/** The replicas after each measurement, each of pods that use so much. */
function play(spec: object, from: number, ticks: readonly Tick[]): number[] {
  let history: ScalingHistory = {
    recommendations: [{ at: NOW, replicas: from }],
    events: [],
  };
  let replicas = from;
  return ticks.map(({ second, percent }) => {
    const measurement = { pods: times(replicas, at(percent)), containers: CONTAINERS };
    const found = autoscale(specOf(spec), replicas, measurement, history, NOW + second * 1_000);
    history = found;
    replicas = found.replicas;
    return replicas;
  });
}

function each15s(count: number, percent: number, from = 15): Tick[] {
  return Array.from({ length: count }, (_, index) => ({ second: from + index * 15, percent }));
}

describe('over time', () => {
  it('scales up by four pods or to twice as many each 15 s', () => {
    expect(play({}, 1, each15s(4, 500))).toEqual([5, 10, 20, 40]);
  });

  it('scales down once nothing else was asked for within five minutes', () => {
    const found = play({}, 4, each15s(21, 10));
    expect(found.slice(0, 19)).toEqual(Array(19).fill(4));
    expect(found.at(19)).toBe(1);
  });

  it('begins to wait anew where more was asked for meanwhile', () => {
    const ticks = [...each15s(10, 10), { second: 165, percent: 50 }, ...each15s(19, 10, 180)];
    expect(play({}, 4, ticks).at(-1)).toBe(4);
    expect(play({}, 4, [...ticks, { second: 465, percent: 10 }]).at(-1)).toBe(1);
  });

  it('goes down to the most that was asked for meanwhile', () => {
    const ticks = [
      { second: 15, percent: 10 },
      { second: 150, percent: 30 },
      { second: 300, percent: 10 },
    ];
    expect(play({}, 4, ticks)).toEqual([4, 4, 3]);
  });

  it('waits to scale up for as long as it says, and then goes to the least that was asked for', () => {
    const spec = { behavior: { scaleUp: { stabilizationWindowSeconds: 30 } } };
    const ticks = [15, 30, 45, 60].map((second) => ({ second, percent: 90 }));
    // At 45 s what was asked for at 30 s holds it.
    expect(play(spec, 2, ticks)).toEqual([2, 4, 4, 8]);
  });

  const policies = [
    { type: 'Pods', value: 2, periodSeconds: 60 },
    { type: 'Percent', value: 50, periodSeconds: 60 },
  ];
  const hurried = { stabilizationWindowSeconds: 0 };

  it.each([
    [
      'the most of its policies',
      { behavior: { scaleUp: { policies } } },
      500,
      [15, 15, 15, 15, 23],
    ],
    [
      'the least of them',
      { behavior: { scaleUp: { policies, selectPolicy: 'Min' } } },
      500,
      [12, 12, 12, 12, 14],
    ],
    [
      'no way up',
      { behavior: { scaleUp: { policies, selectPolicy: 'Disabled' } } },
      500,
      [10, 10, 10, 10, 10],
    ],
    [
      'the most of them down',
      { behavior: { scaleDown: { ...hurried, policies } } },
      0,
      [5, 5, 5, 5, 2],
    ],
    [
      'the least of them down',
      { behavior: { scaleDown: { ...hurried, policies, selectPolicy: 'Min' } } },
      0,
      [8, 8, 8, 8, 6],
    ],
    [
      'no way down',
      { behavior: { scaleDown: { ...hurried, selectPolicy: 'Disabled' } } },
      0,
      [10, 10, 10, 10, 10],
    ],
  ])('goes %s within a period', (_, spec, percent, expected) => {
    expect(play(spec, 10, each15s(5, percent))).toEqual(expected);
  });

  it('counts in a period what went the other way', () => {
    const history = {
      recommendations: [],
      events: [
        { at: NOW - 30_000, by: 4 },
        { at: NOW - 15_000, by: -2 },
        { at: NOW - 90_000, by: 50 },
      ],
    };
    const spec = {
      behavior: { scaleUp: { policies: [{ type: 'Pods', value: 3, periodSeconds: 60 }] } },
    };
    expect(replicasOf(times(12, at(500)), spec, 12, history)).toBe(13);
  });

  it.each([
    ['up', { behavior: { scaleUp: { tolerance: 0.5 } } }, 74, 2],
    ['up beyond it', { behavior: { scaleUp: { tolerance: 0.5 } } }, 76, 4],
    ['down', { behavior: { scaleDown: { ...hurried, tolerance: '500m' } } }, 26, 2],
    ['down beyond it', { behavior: { scaleDown: { ...hurried, tolerance: '500m' } } }, 24, 1],
  ])('has a tolerance of its own %s', (_, spec, percent, expected) => {
    expect(replicasOf(times(2, at(percent)), spec)).toBe(expected);
  });
});
