/** An object in Kubernetes format, as parsed. Only `apiVersion`, `kind` and `metadata.name` are sure to be there. */
export interface Resource {
  apiVersion: string;
  kind: string;
  metadata: ResourceMetadata;
  [field: string]: unknown;
}

interface ResourceMetadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** Identity of a resource within a cluster: `Deployment/shop/web`; `Namespace//shop` where it has no namespace. */
export type ResourceKey = string;

const CLUSTER_SCOPED = new Set([
  'APIService',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'IngressClass',
  'MutatingWebhookConfiguration',
  'Namespace',
  'PersistentVolume',
  'PriorityClass',
  'RuntimeClass',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
]);

export function isClusterScoped(kind: string): boolean {
  return CLUSTER_SCOPED.has(kind);
}

/** The namespace it lives in; `default` where the manifest names none; empty for cluster-scoped kinds. */
function namespaceOf(resource: Resource): string {
  return isClusterScoped(resource.kind) ? '' : (resource.metadata.namespace ?? 'default');
}

export function keyOf(resource: Resource): ResourceKey {
  return `${resource.kind}/${namespaceOf(resource)}/${resource.metadata.name}`;
}
