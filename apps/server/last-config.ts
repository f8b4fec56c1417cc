import { isDeepStrictEqual } from 'node:util';
import { Cluster } from '#core/declarations/cluster.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';

/**
 * The configuration that was in force when the workers were told last, without what pushed repositories carry
 * themselves; absent where nothing is recorded. An earlier version may have recorded it: what that lacked gets its
 * default, and what is not valid any more stays as it was.
 */
export function lastConfig(
  recorded: Declarations,
  carried: Readonly<Record<string, Pipeline>>,
): Declarations | undefined {
  const pipelines = mapValues(recorded.pipelines, (each) => Pipeline.safeParse(each).data ?? each);
  const clusters = mapValues(recorded.clusters, (each) => Cluster.safeParse(each).data ?? each);
  const own = Object.entries(pipelines).filter(
    ([name, each]) => !isDeepStrictEqual(carried[name], each),
  );
  if (own.length === 0 && Object.keys(clusters).length === 0) return undefined;
  return { pipelines: Object.fromEntries(own), clusters };
}

function mapValues<Value>(
  record: Readonly<Record<string, Value>>,
  to: (value: Value) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]));
}
