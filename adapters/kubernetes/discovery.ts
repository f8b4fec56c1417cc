import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { KubeClient } from './client.ts';

/** Kubernetes 1.30 and later answers all kinds of all groups at once. */
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const GroupList = z.looseObject({
  kind: z.literal('APIGroupDiscoveryList'),
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string().optional() }).optional(),
      versions: z.array(
        z.looseObject({
          version: z.string(),
          freshness: z.string().optional(),
          resources: z
            .array(
              z.looseObject({
                resource: z.string(),
                responseKind: z.looseObject({ kind: z.string() }).optional(),
                scope: z.enum(['Namespaced', 'Cluster']),
                verbs: z.array(z.string()),
              }),
            )
            .optional(),
        }),
      ),
    }),
  ),
});

/**
 * The kinds that the API server serves, of each group the preferred version first.
 *
 * @throws UserError `unsupported` before Kubernetes 1.30
 */
export async function discoverKinds(client: KubeClient, signal: AbortSignal): Promise<ApiKind[]> {
  const lists = await Promise.all(
    ['/api', '/apis'].map((path) =>
      client.call<unknown>({ method: 'GET', path, accept: AGGREGATED }, signal),
    ),
  );
  return lists.flatMap(({ body }) => {
    const parsed = GroupList.safeParse(body);
    if (parsed.success) return kindsIn(parsed.data);
    throw new UserError('unsupported', 'the API server does not tell its kinds all at once', {
      hint: 'Kubernetes 1.30 and later is supported',
    });
  });
}

function kindsIn({ items }: z.infer<typeof GroupList>): ApiKind[] {
  return items.flatMap(({ metadata, versions }) =>
    versions.flatMap(({ version, resources = [] }) =>
      resources.flatMap(({ resource, responseKind, scope, verbs }) =>
        responseKind === undefined
          ? []
          : [
              {
                group: metadata?.name ?? '',
                version,
                kind: responseKind.kind,
                plural: resource,
                namespaced: scope === 'Namespaced',
                verbs,
              },
            ],
      ),
    ),
  );
}
