import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { readInput } from '../read-input.ts';

const NamePath = z.object({ name: z.string() });

/** The cluster of a path `/clusters/:name`, declared now or once. */
export function knownCluster(
  pipelines: Pick<KnownPipelines, 'allClusters'>,
  params: unknown,
): string {
  const { name } = readInput(NamePath, params);
  const clusters = pipelines.allClusters();
  if (Object.hasOwn(clusters, name)) return name;
  const names = Object.keys(clusters).join(', ');
  throw new UserError('not-found', `the cluster ${name} is not declared`, {
    hint: names === '' ? 'none is' : `declared: ${names}`,
  });
}
