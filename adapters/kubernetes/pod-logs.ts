import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { KubeClient } from './client.ts';
import { readLines } from './lines.ts';

export const PODS: ApiKind = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
  verbs: [],
};

export interface PodContainer {
  namespace: string;
  pod: string;
  container: string;
}

export interface PodLogOptions {
  follow: boolean;
  tail?: number;
  /** Of the container that ran before this one. */
  previous?: boolean;
  /** Of what it wrote, no more than so many bytes. */
  limitBytes?: number;
}

/** What a container wrote; the API server tells stdout and stderr as one. */
export async function* readPodLog(
  client: KubeClient,
  { namespace, pod, container }: PodContainer,
  { follow, tail, previous = false, limitBytes }: PodLogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const stream = await client.stream(
    {
      method: 'GET',
      path: `${pathOf(PODS, namespace, pod)}/log`,
      query: { container, follow, tailLines: tail, previous, limitBytes },
      accept: '*/*',
    },
    signal,
  );
  try {
    yield* readLines(stream);
  } finally {
    stream.destroy();
  }
}
