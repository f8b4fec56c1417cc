import { describe, expect, it } from 'vitest';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { World } from '#core/docker/world.ts';
import type { DesiredState } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';

interface Asked {
  name?: string;
  port: number;
  nodePort?: number;
}

function service(name: string, ports: Asked[], type = 'NodePort'): Resource {
  const spec = { type, selector: { app: name }, ports };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

function owned(owner: string, resources: Resource[]): DesiredState {
  return { owner, release: 'r1', resources };
}

function converge(desired: DesiredState[], from: World = emptyWorld(), now = 1): World {
  let world = from;
  for (let round = 0; round < 20; round += 1) {
    const { steps } = decide(desired, world, now + round, (value) => value);
    if (steps.length === 0) return world;
    for (const step of steps) world = carryOut(world, step, now + round);
  }
  throw new Error('did not converge');
}

function portsOf(world: World, name: string): Record<string, number> {
  const record = world.records.find(({ key }) => key === `Service/default/${name}`);
  return record?.nodePorts ?? {};
}

function failureOf(desired: DesiredState[], world: World): (string | undefined)[] {
  return decide(desired, world, 100, (value) => value).owners.map(({ failure }) => failure);
}

const web = service('web', [{ port: 80 }]);

describe('nodePorts', () => {
  it('are given from 30000 to 32767, recorded and shown', () => {
    const world = converge([owned('a', [web])]);
    const port = portsOf(world, 'web')[''] ?? 0;
    expect(port).toBeGreaterThanOrEqual(30_000);
    expect(port).toBeLessThanOrEqual(32_767);
    const { owners } = decide([owned('a', [web])], world, 9, (value) => value);
    expect(owners[0]?.resources[0]?.summary).toContain(`ports 80:${port},`);
    expect(owners[0]?.serving).toBe(true);
  });

  it('stay, by the name of the port, when the Service changes', () => {
    const before = service('web', [
      { name: 'http', port: 80 },
      { name: 'admin', port: 81 },
    ]);
    const after = service('web', [
      { name: 'admin', port: 82 },
      { name: 'more', port: 83 },
      { name: 'http', port: 80 },
    ]);
    const first = converge([owned('a', [before])]);
    const second = converge([owned('a', [after])], first);
    expect(portsOf(second, 'web')).toMatchObject(portsOf(first, 'web'));
    expect(new Set(Object.values(portsOf(second, 'web'))).size).toBe(3);
  });

  it('are given up by a Service that needs none any more', () => {
    const first = converge([owned('a', [web])]);
    const second = converge([owned('a', [service('web', [{ port: 80 }], 'ClusterIP')])], first);
    expect(portsOf(second, 'web')).toEqual({});
  });

  it('are not those that another one has or asks for', () => {
    const wanted = portsOf(converge([owned('a', [web])]), 'web')[''] ?? 0;
    const other = service('other', [{ port: 80, nodePort: wanted }]);
    const world = converge([owned('b', [other]), owned('a', [web])]);
    expect(portsOf(world, 'web')['']).not.toBe(wanted);
  });

  it('move where another one asks for them, or another program has them', () => {
    const first = converge([owned('a', [web])]);
    const before = portsOf(first, 'web')[''] ?? 0;
    const other = service('other', [{ port: 80, nodePort: before }]);
    const asked = portsOf(converge([owned('a', [web]), owned('b', [other])], first), 'web')[''];
    const taken = { ...first, takenPorts: [before] };
    const moved = portsOf(converge([owned('a', [web])], taken), 'web')[''];
    expect([asked, moved]).not.toContain(before);
    expect(asked).toBe(moved);
  });

  it('that two owners ask for are those of the one that had it first', () => {
    const one = owned('a', [service('one', [{ port: 80, nodePort: 30_080 }])]);
    const two = owned('b', [service('two', [{ port: 80, nodePort: 30_080 }])]);
    const world = converge([one, two], converge([one]));
    expect(failureOf([one, two], world)).toEqual([
      undefined,
      'Service/default/two asks for port 30080 of the host, which Service/default/one of a has',
    ]);
    expect(world.records).toHaveLength(1);
  });

  it('that two owners ask for at once are those of one of them', () => {
    const one = owned('b', [service('one', [{ port: 80, nodePort: 30_080 }])]);
    const two = owned('a', [service('two', [{ port: 80, nodePort: 30_080 }])]);
    const world = converge([two, one]);
    expect(failureOf([one, two], world).map((failure) => failure !== undefined)).toEqual([
      false,
      true,
    ]);
    const { steps } = decide([one, two], { ...world, edge: '' }, 100, (value) => value);
    const [edge] = steps.filter((step) => step.kind === 'configureEdge');
    expect(edge?.config.ports).toEqual([30_080]);
  });
});
