import { describe, expect, it } from 'vitest';
import { edgesOf } from '#core/swarm/edges.ts';

function node(name: string, Role: string, Labels: Record<string, string> | null = null) {
  return { name, Spec: { Role, Labels } };
}

const MANAGER = node('m', 'manager');
const WORKERS = [node('a', 'worker', { edge: 'yes', zone: 'x' }), node('b', 'worker')];

describe('edgesOf', () => {
  it.each([
    { of: 'all where there are no workers', nodes: [MANAGER], labels: undefined, are: ['m'] },
    {
      of: 'the workers',
      nodes: [MANAGER, ...WORKERS],
      labels: undefined,
      are: ['a', 'b'],
    },
    {
      of: 'those with the label',
      nodes: [MANAGER, ...WORKERS],
      labels: { edge: 'yes' },
      are: ['a'],
    },
    {
      of: 'none where one label of two is another',
      nodes: [MANAGER, ...WORKERS],
      labels: { edge: 'yes', zone: 'y' },
      are: [],
    },
    {
      of: 'those with a label of Kubernetes',
      nodes: [node('z', 'worker', { '_topology.kubernetes.io_zone': 'x' }), ...WORKERS],
      labels: { 'topology.kubernetes.io/zone': 'x' },
      are: ['z'],
    },
    {
      of: 'managers with the label, too',
      nodes: [node('m', 'manager', { edge: 'yes' }), ...WORKERS],
      labels: { edge: 'yes' },
      are: ['m', 'a'],
    },
  ])('are $of', ({ nodes, labels, are }) => {
    expect(nodes.filter(edgesOf(nodes, labels)).map(({ name }) => name)).toEqual(are);
  });
});
