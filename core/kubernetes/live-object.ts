import type { Resource } from '#core/resources/resource.ts';

/** Who has set which fields, as the API server keeps it. */
export interface ManagedFields {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource?: string;
  /** Fields as a tree of `f:name`, `k:{"name":"web"}`, `v:"value"` and `.`. */
  fieldsV1?: Record<string, unknown>;
}

/** An object as the API server has it. */
export interface LiveObject extends Resource {
  metadata: Resource['metadata'] & {
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    managedFields?: ManagedFields[];
    ownerReferences?: { kind: string; name: string; uid: string; controller?: boolean }[];
  };
}

/** Whether it is a later state of an object than the other; the server's versions are ever larger whole numbers. */
export function isNewer(version: string, than: string): boolean {
  return BigInt(version) > BigInt(than);
}
