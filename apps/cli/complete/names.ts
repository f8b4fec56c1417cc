import type { z } from 'zod';
import { ClusterList } from '#core/api/cluster.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import { PipelineList } from '#core/api/pipeline.ts';
import { RunList } from '#core/api/run.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import type { Candidate } from './words.ts';

/** Names that the server knows, by what help calls them; none for what it does not know. */
export async function knownNames(
  client: Pick<ApiClient, 'get'>,
  name: string,
  before: readonly string[],
): Promise<Candidate[]> {
  switch (name) {
    case 'pipeline':
      return (await pipelines(client)).map(({ name: text }) => ({ text, about: 'pipeline' }));
    case 'entry': {
      const all = await pipelines(client);
      const own = all.filter((each) => before[0] === undefined || each.name === before[0]);
      return own.flatMap(({ spec }) =>
        spec.deploy.map((deploy) => ({ text: entryName(deploy), about: `on ${deploy.cluster}` })),
      );
    }
    case 'run':
    case 'id': {
      const { runs } = await client.get(`${apiPath(['runs'])}?limit=20`, RunList);
      return runs.map(({ id, pipeline, state, branch }) => {
        return { text: id, about: `${pipeline} ${branch} ${state}` };
      });
    }
    case 'cluster':
      return (await clusters(client)).map(({ name: text }) => ({ text, about: 'cluster' }));
    case 'owner':
      return (await clusters(client)).flatMap(({ owners, name: cluster }) =>
        owners.map(({ owner }) => ({ text: owner, about: `on ${cluster}` })),
      );
    case 'kind/name':
    case 'kind/name=replicas':
      return (await workloads(client)).map(({ key, summary }) => {
        const [kind, , own] = key.split('/');
        return { text: `${kind?.toLowerCase()}/${own}`, about: summary };
      });
    case 'container':
      return (await workloads(client)).flatMap(({ pods = [] }) =>
        pods.flatMap((pod) =>
          pod.containers.map((each) => ({ text: each.name, about: `in ${pod.name}` })),
        ),
      );
    case 'namespace':
      return (await workloads(client)).map(({ key }) => {
        return { text: key.split('/')[1] ?? '', about: 'namespace' };
      });
    default:
      return [];
  }
}

async function pipelines(
  client: Pick<ApiClient, 'get'>,
): Promise<z.infer<typeof PipelineList>['pipelines']> {
  return (await client.get(apiPath(['pipelines']), PipelineList)).pipelines;
}

async function clusters(client: Pick<ApiClient, 'get'>): Promise<ClusterView[]> {
  return (await client.get(apiPath(['clusters']), ClusterList)).clusters;
}

async function workloads(
  client: Pick<ApiClient, 'get'>,
): Promise<ClusterView['owners'][number]['resources']> {
  return (await clusters(client)).flatMap(({ owners }) =>
    owners.flatMap(({ resources }) => resources.filter(({ pods }) => pods !== undefined)),
  );
}
