import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { KubeClient } from '#adapters/kubernetes/client.ts';

const NEVER = new AbortController().signal;
const FILE = new URL('../../../../../packaging/kubernetes/rights.yaml', import.meta.url);
const RBAC = 'rbac.authorization.k8s.io';
const PLURALS: Readonly<Record<string, string>> = {
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
};

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

interface Shipped {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
  roleRef?: { apiGroup: string; kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

/** What is shipped for deploy workers, as it is in its file. */
export async function shippedRights(): Promise<Shipped[]> {
  const documents = parseAllDocuments(await readFile(FILE, 'utf8'));
  return documents.map((document) => document.toJS() as Shipped);
}

export interface Account {
  /** As the API server names the ServiceAccount. */
  name: string;
  remove(): Promise<void>;
}

/**
 * A ServiceAccount with exactly the shipped rights, and the same for what the suite defines, under names of its own. The
 * namespace of the inventories has to be there.
 */
export async function giveShippedRights(
  hand: KubeClient,
  id: string,
  group: string,
): Promise<Account> {
  const own = `windlass-test-${id}`;
  const made: string[] = [];
  for (const object of await shippedRights()) {
    const plural = PLURALS[object.kind];
    if (plural === undefined) continue;
    const { namespace } = object.metadata;
    const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
    const path = `/apis/${RBAC}/v1${place}/${plural}`;
    await hand.call({ method: 'POST', path, body: renamed(object, own, group) }, NEVER);
    made.push(`${path}/${own}`);
  }
  return {
    name: `system:serviceaccount:windlass:${own}`,
    async remove() {
      for (const path of made) await hand.call({ method: 'DELETE', path }, NEVER);
    },
  };
}

function renamed(object: Shipped, name: string, group: string): Shipped {
  const { rules, roleRef, subjects } = object;
  const verbs = rules?.[0]?.verbs ?? [];
  const defined = { apiGroups: [group], resources: ['gadgets'], verbs };
  return {
    ...object,
    metadata: { ...object.metadata, name },
    ...(rules === undefined
      ? {}
      : { rules: object.kind === 'ClusterRole' ? [...rules, defined] : rules }),
    ...(roleRef === undefined ? {} : { roleRef: { ...roleRef, name } }),
    ...(subjects === undefined ? {} : { subjects: subjects.map((each) => ({ ...each, name })) }),
  };
}
