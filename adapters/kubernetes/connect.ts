import { dirname } from 'node:path';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Kubeconfig } from '#core/declarations/cluster.ts';
import { createKubeClient } from './client.ts';
import type { KubeClient } from './client.ts';
import { inClusterAccess } from './in-cluster.ts';
import { parseKubeconfig } from './kubeconfig.ts';

/** A client of the declared cluster's API server. */
export async function connectKubernetes(
  kubeconfig: Kubeconfig,
  context: string | undefined,
  readSecret: ReadSecret,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<KubeClient> {
  if (kubeconfig === 'in-cluster')
    return createKubeClient(inClusterAccess(environment), environment);
  const text = (await readSecret(kubeconfig)).reveal();
  const folder = 'file' in kubeconfig ? dirname(kubeconfig.file) : '.';
  return createKubeClient(parseKubeconfig(text, folder, context), environment);
}
