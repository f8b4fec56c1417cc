import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { Decision, World } from '#core/docker/world.ts';
import type { DesiredState } from '#core/engine.ts';
import { changeEvents } from '#core/events/change-events.ts';
import { formatProblem } from '#core/errors.ts';
import type { Health } from '#core/health.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

const START = Date.parse('2026-11-29T10:00:00Z');
const SECOND = 1_000;
const KEY = 'HorizontalPodAutoscaler/default/web';
const WEB = 'Deployment/default/web';

function web(replicas: number, image = 'web:1', kind = 'Deployment'): Resource {
  const labels = { app: 'web' };
  const resources = { requests: { cpu: '100m' } };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'main', image, resources }] },
      },
    },
  };
}

function scaler(spec: object = {}, name = 'web'): Resource {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 10,
      ...spec,
    },
  };
}

function ask(
  resources: readonly Resource[],
  world: World,
  now: number,
  more: Partial<DesiredState> = {},
): Decision {
  const desired = { owner: 'shop/local', release: 'r1', resources, ...more };
  return decide([desired], world, now, (value) => value);
}

/** Passes at one time until nothing is left to be done then. */
function pass(resources: readonly Resource[], from: World, now: number, more = {}): World {
  let world = from;
  for (let round = 0; round < 20; round += 1) {
    const { steps, autoscalers } = ask(resources, world, now, more);
    world = { ...world, autoscalers };
    if (steps.length === 0) return world;
    for (const step of steps) world = carryOut(world, step, now);
  }
  throw new Error('does not come to rest');
}

/** With what each container of the pods uses: so many cores. */
function measured(world: World, cpu: number, now: number): World {
  const ids = world.pods.flatMap((pod) => Object.values(pod.containers).map(({ id }) => id));
  const each = { cpu, memory: 0, since: now - SECOND };
  return {
    ...world,
    usage: { at: now, containers: Object.fromEntries(ids.map((id) => [id, each])) },
  };
}

function pods(world: World): number {
  return world.pods.filter(({ deletingSince }) => deletingSince === undefined).length;
}

function statusOf(decision: Decision, key: string) {
  return decision.owners[0]?.resources.find((resource) => resource.key === key);
}

const LATER = START + 60 * SECOND;

/** Scaled to 4, which its manifest says nothing of. */
function scaled(): World {
  const world = pass([web(1), scaler()], emptyWorld(), START);
  return pass([web(1), scaler()], measured(world, 0.32, LATER), LATER);
}

describe('a target', () => {
  it('has what it said itself until it is measured', () => {
    const world = pass([web(3), scaler()], emptyWorld(), START);
    const decision = ask([web(3), scaler()], world, START);
    expect(pods(world)).toBe(3);
    expect(decision.owners[0]).toMatchObject({ serving: true, plan: [] });
    expect(statusOf(decision, KEY)).toMatchObject({
      health: { status: 'Progressing', reason: 'its pods are measured every 15 s' },
      summary: '3 replicas',
    });
  });

  it('goes on from what it had before it was scaled', () => {
    const before = pass([web(5)], emptyWorld(), START);
    expect(pods(pass([web(1), scaler()], before, START))).toBe(5);
  });

  it('has what it may at once', () => {
    expect(pods(pass([web(1), scaler({ minReplicas: 2 })], emptyWorld(), START))).toBe(2);
    expect(pods(pass([web(4), scaler({ maxReplicas: 3 })], emptyWorld(), START))).toBe(3);
  });

  it('is scaled, told as a change of its own', () => {
    const world = pass([web(1), scaler()], emptyWorld(), START);
    const [owner] = ask([web(1), scaler()], measured(world, 0.32, LATER), LATER).owners;
    expect(owner?.plan[0]).toEqual({
      action: 'update',
      key: KEY,
      fields: [{ path: `replicas of ${WEB}`, current: '1', desired: '4' }],
      reason: 'cpu 320 % of 80 %',
    });
    expect(changeEvents('shop/local', owner?.plan ?? [], LATER)[0]).toMatchObject({
      resource: KEY,
      message: `replicas of ${WEB}: 1 -> 4; cpu 320 % of 80 %`,
    });
    expect(pods(scaled())).toBe(4);
  });

  it('is not drift from then on, and told as it is', () => {
    const decision = ask([web(1), scaler()], scaled(), LATER);
    expect(decision.owners[0]).toMatchObject({ serving: true, plan: [] });
    expect(statusOf(decision, KEY)).toMatchObject({
      health: { status: 'Healthy' },
      summary: '4 replicas, cpu 320 % of 80 %',
    });
    expect(statusOf(decision, WEB)).toMatchObject({
      summary: '4 of 4 ready',
      replicas: { desired: 4, ready: 4 },
    });
  });

  it('is decided of once for each measurement', () => {
    expect(ask([web(1), scaler()], scaled(), LATER + SECOND).steps).toEqual([]);
  });

  it('keeps its replicas through a release, whatever that says', () => {
    const released = [web(2, 'web:2'), scaler()];
    let world = scaled();
    for (let second = 0; second < 30; second += 1)
      world = pass(released, world, LATER + second * SECOND);
    expect(pods(world)).toBe(4);
    expect(ask(released, world, LATER + 30 * SECOND).owners[0]?.serving).toBe(true);
  });

  it('keeps them where the worker is another, and is not scaled down for five minutes by it', () => {
    const { usage: _, autoscalers: __, ...rest } = scaled();
    expect(ask([web(1), scaler()], rest, LATER).steps).toEqual([]);
    const again = pass([web(1), scaler()], rest, LATER);
    function idle(ms: number): World {
      return pass([web(1), scaler()], measured(again, 0, LATER + ms), LATER + ms);
    }
    expect(pods(idle(299 * SECOND))).toBe(4);
    expect(pods(idle(301 * SECOND))).toBe(1);
  });

  it('has what its manifest says once nothing scales it', () => {
    expect(pods(pass([web(2)], scaled(), LATER))).toBe(2);
  });

  it('is left at 0', () => {
    const off = [web(0), scaler({ minReplicas: 2 })];
    const world = pass(off, scaled(), LATER);
    expect(pods(world)).toBe(0);
    expect(statusOf(ask(off, world, LATER), KEY)?.summary).toBe('off: its target has replicas: 0');
    expect(pods(pass([web(1), scaler()], world, LATER))).toBe(1);
  });

  it('is left as somebody has scaled it by hand, and goes on from there', () => {
    const hand = { scaledByHand: [WEB] };
    const held = pass(
      [web(7), scaler()],
      measured(scaled(), 0.9, LATER + 15 * SECOND),
      LATER + 15 * SECOND,
      hand,
    );
    expect(pods(held)).toBe(7);
    expect(statusOf(ask([web(7), scaler()], held, LATER, hand), KEY)?.summary).toBe(
      'held at 7 replicas by hand',
    );
    const { usage: _, ...after } = held;
    expect(pods(pass([web(1), scaler()], after, LATER + 16 * SECOND))).toBe(7);
  });

  it('is not scaled while its owner is suspended', () => {
    const world = pass([web(1), scaler()], emptyWorld(), START);
    const { owners, steps } = ask([web(1), scaler()], measured(world, 0.9, LATER), LATER, {
      suspended: true,
    });
    expect([owners[0]?.plan, steps]).toEqual([[], []]);
  });
});

it('says where its target is not there, and holds no release up', () => {
  const world = pass([scaler()], emptyWorld(), START);
  const decision = ask([scaler()], world, START);
  expect(decision.owners[0]?.serving).toBe(true);
  expect(statusOf(decision, KEY)?.health).toEqual({
    status: 'Degraded',
    reason: 'there is no Deployment/default/web to scale',
  });
});

it('is degraded once its pods cannot be measured for a minute', () => {
  const world = pass([web(1), scaler()], emptyWorld(), START);
  function health(now: number): Health | undefined {
    const blind = { ...world, usage: { at: now, containers: {} } };
    return statusOf(ask([web(1), scaler()], blind, now), KEY)?.health;
  }
  expect(health(START + 15 * SECOND)?.status).toBe('Progressing');
  expect(health(START + 61 * SECOND)).toEqual({
    status: 'Degraded',
    reason: 'no cpu of its pods was measured yet',
  });
});

function problems(...resources: Resource[]): string[] {
  const text = resources.map((resource) => JSON.stringify(resource)).join('\n---\n');
  return acceptResources(parseManifests([{ path: 'f.yaml', text }])).map((problem) =>
    formatProblem(problem).replace(/^\S+ /, ''),
  );
}

function resource(target: object, name = 'cpu', type = 'Resource'): object {
  return { metrics: [{ type, resource: { name, target } }] };
}

describe('what is refused', () => {
  it.each<[string, object, RegExp]>([
    [
      'another kind of target',
      { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web' } },
      /must be Deployment or StatefulSet/,
    ],
    ['no pod at all', { minReplicas: 0 }, /minReplicas: must be 1 at least/],
    [
      'a most below the least',
      { minReplicas: 5, maxReplicas: 4 },
      /is less than minReplicas, which is 5/,
    ],
    [
      'metrics of an API that is not there',
      { metrics: [{ type: 'External', external: {} }] },
      /must be Resource or ContainerResource: there is no metrics API/,
    ],
    [
      'what is not measured',
      resource({ type: 'Utilization', averageUtilization: 1 }, 'disk'),
      /must be cpu or memory/,
    ],
    [
      'a Value',
      resource({ type: 'Value', value: '1' }),
      /a Value is of Object and External metrics only/,
    ],
    [
      'the other number',
      resource({ type: 'Utilization', averageValue: '1' }),
      /must have averageUtilization, and no averageValue/,
    ],
    [
      'both',
      resource({ type: 'AverageValue', averageValue: '1', averageUtilization: 1 }),
      /must have averageValue, and no/,
    ],
    [
      'a metric without its source',
      { metrics: [{ type: 'Resource' }] },
      /must have resource with type Resource/,
    ],
    [
      'a part of what is not requested',
      resource({ type: 'Utilization', averageUtilization: 50 }, 'memory'),
      /main of Deployment\/default\/web requests no memory.*type: AverageValue/,
    ],
    [
      'a container that is not there',
      {
        metrics: [
          {
            type: 'ContainerResource',
            containerResource: {
              name: 'cpu',
              container: 'mian',
              target: { type: 'AverageValue', averageValue: '1' },
            },
          },
        ],
      },
      /has no container mian.*did you mean main/,
    ],
    ['no policy', { behavior: { scaleUp: { policies: [] } } }, /must be one at least/],
    [
      'a window of two hours',
      { behavior: { scaleUp: { stabilizationWindowSeconds: 7_200 } } },
      /3600/,
    ],
  ])('%s', (_, spec, message) => {
    expect(problems(web(1), scaler(spec)).join('\n')).toMatch(message);
  });

  it('two for one target', () => {
    expect(problems(web(1), scaler(), scaler({}, 'again')).join('\n')).toMatch(
      /another HorizontalPodAutoscaler scales Deployment\/default\/web already/,
    );
  });

  it('not a target of nowhere, nor limits in the place of requests', () => {
    const limited = web(1);
    const text = JSON.stringify(limited).replace('requests', 'limits');
    expect(problems(scaler())).toEqual([]);
    expect(problems(JSON.parse(text) as Resource, scaler())).toEqual([]);
  });
});
