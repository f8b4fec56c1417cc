/**
 * What a label of Kubernetes is called on a node of Swarm, whose constraints take no slash: `topology.kubernetes.io/zone`
 * is `_topology.kubernetes.io_zone` there. No two labels meet: none begins with `_`, and no prefix has one.
 */
export function nodeLabel(name: string): string {
  return name.includes('/') ? `_${name.replace('/', '_')}` : name;
}
