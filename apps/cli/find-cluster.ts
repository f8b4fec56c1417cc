import { ClusterList } from '#core/api/cluster.ts';
import { UserError } from '#core/errors.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';

/** The cluster that was named, else the only one there is. */
export async function findCluster(client: ApiClient, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const { clusters } = await client.get(apiPath(['clusters']), ClusterList);
  const [only, ...others] = clusters;
  if (only === undefined) throw new UserError('not-found', 'the server knows no cluster');
  if (others.length === 0) return only.name;
  throw new UserError('invalid-input', 'there are several clusters', {
    hint: `choose with --cluster: ${clusters.map((cluster) => cluster.name).join(', ')}`,
  });
}
