import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { ApiAccess } from '#adapters/kubernetes/kubeconfig.ts';
import { parseKubeconfig } from '#adapters/kubernetes/kubeconfig.ts';

/** A client of the cluster that `KUBECONFIG` names, as the account that it says, or as another. */
export async function connectCluster(as?: string): Promise<KubeClient> {
  const { user, ...cluster } = await readAccess();
  const impersonated = as === undefined ? {} : { impersonate: { user: as, groups: [] } };
  return createKubeClient({ ...cluster, user: { ...user, ...impersonated } }, process.env);
}

/** The same as whose token it is. */
export async function connectWithToken(token: string): Promise<KubeClient> {
  return createKubeClient({ ...(await readAccess()), user: { token } }, process.env);
}

async function readAccess(): Promise<ApiAccess> {
  const file = process.env['KUBECONFIG'];
  if (file === undefined) throw new Error('KUBECONFIG names no file');
  return parseKubeconfig(await readFile(file, 'utf8'), dirname(file), undefined);
}
