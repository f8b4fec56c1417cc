import { expect, it } from 'vitest';
import { nodeLabel } from '#core/swarm/node-label.ts';
import { placementOf } from '#core/swarm/placement.ts';
import { labelsFor } from '#core/swarm/servers/labels-for.ts';
import type { SeenNode } from '#core/swarm/servers/seen.ts';

const NODE = { state: 'ready', labels: {} } as SeenNode;

it.each(['disk', 'topology.kubernetes.io/zone', 'example.com/a_b', 'kubernetes.io/hostname'])(
  'has a pod that asks for %s find the server that declares it',
  (label) => {
    const named = label === 'kubernetes.io/hostname';
    const server = {
      name: 'eu-1',
      role: 'worker',
      state: 'active',
      advertise: '10.0.0.1',
      labels: named ? {} : { [label]: 'eu-1' },
      reach: '',
    } as const;
    const labels = labelsFor(server, NODE, []);
    const [constraint = ''] = placementOf({ nodeSelector: { [label]: 'eu-1' } }).Constraints;
    const [, name = '', value] = /^node\.labels\.([a-zA-Z0-9._-]+)==(.*)$/.exec(constraint) ?? [];
    expect(labels[name]).toBe(value);
  },
);

it('names no two labels the same', () => {
  const labels = ['a/b', 'a_b', 'a.b', 'a/b_c', 'a/b.c', 'a.b/c'];
  expect(new Set(labels.map(nodeLabel)).size).toBe(labels.length);
});
