import { nodeLabel } from '#core/swarm/node-label.ts';

/** A server as Swarm knows it, as far as it tells whether it is an edge. */
export interface SwarmNode {
  Spec: { Role: string; Labels?: Readonly<Record<string, string>> | null };
}

/**
 * Which servers have nodePorts and Ingresses: those with all the labels; where none are asked for the workers, and where
 * there are none all.
 */
export function edgesOf<Node extends SwarmNode>(
  nodes: readonly Node[],
  labels: Readonly<Record<string, string>> | undefined,
): (node: Node) => boolean {
  if (labels !== undefined)
    return ({ Spec }) =>
      Object.entries(labels).every(([name, value]) => Spec.Labels?.[nodeLabel(name)] === value);
  const hasWorkers = nodes.some(({ Spec }) => Spec.Role === 'worker');
  return ({ Spec }) => !hasWorkers || Spec.Role === 'worker';
}
