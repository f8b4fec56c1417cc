import { z } from 'zod';
import { Cluster } from '#core/declarations/cluster.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';

/** JSON Schema of one document in `pipelines/*.yaml`, for editors. By `kind`, so that messages are of that kind only. */
export function declarationsJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://windlass.dev/schema/windlass.schema.json',
    title: 'Windlass declaration',
    type: 'object',
    required: ['apiVersion', 'kind'],
    properties: {
      apiVersion: { const: 'windlass.dev/v1' },
      kind: { enum: ['Pipeline', 'Cluster'] },
    },
    allOf: [whenKind('Pipeline', Pipeline), whenKind('Cluster', Cluster)],
  };
}

function whenKind(kind: string, schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...then } = z.toJSONSchema(schema, { io: 'input' });
  // oxlint-disable-next-line no-thenable -- JSON Schema's word
  return { if: { properties: { kind: { const: kind } }, required: ['kind'] }, then };
}
