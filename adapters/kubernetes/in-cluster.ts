import { UserError } from '#core/errors.ts';
import type { ApiAccess } from './kubeconfig.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The API server of the cluster that this process runs in, as the pod's ServiceAccount.
 *
 * @throws UserError `not-found` outside of a pod
 */
export function inClusterAccess(
  environment: Readonly<Record<string, string | undefined>>,
): ApiAccess {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined)
    throw new UserError('not-found', 'in-cluster: this process runs in no pod of Kubernetes', {
      hint: 'name a kubeconfig, or run the deploy worker in the cluster',
    });
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: { file: `${FOLDER}/ca.crt` },
    user: { tokenFile: `${FOLDER}/token` },
  };
}
