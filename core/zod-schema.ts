import { z } from 'zod';
import type { FieldPath } from '#core/field-path.ts';

/** The schemas that may describe the value at the path: several where a union is passed. */
function schemasAt(schema: unknown, path: FieldPath): unknown[] {
  return path.reduce<unknown[]>(
    (schemas, segment) => schemas.flatMap((parent) => bare(childOf(parent, segment))),
    bare(schema),
  );
}

/** The keys that an object at the path may have. */
export function knownKeys(schema: unknown, path: FieldPath): string[] {
  return schemasAt(schema, path).flatMap((each) =>
    each instanceof z.ZodObject ? Object.keys(each.shape) : [],
  );
}

/** The values that literals at the path allow. */
export function literalValues(schema: unknown, path: FieldPath): string[] {
  return schemasAt(schema, path).flatMap((each) =>
    each instanceof z.ZodLiteral ? [...each.values].map(String) : [],
  );
}

/** The schema without what only makes it optional, defaulted or lazy; each option of a union. */
function bare(schema: unknown): unknown[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodLazy
  ) {
    return bare(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) {
    return bare(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(bare);
  return schema === undefined ? [] : [schema];
}

function childOf(schema: unknown, segment: string | number): unknown {
  if (schema instanceof z.ZodObject) {
    const shape: Record<string, unknown> = schema.shape;
    return Object.hasOwn(shape, segment) ? shape[segment] : undefined;
  }
  if (schema instanceof z.ZodArray) return schema.element;
  return schema instanceof z.ZodRecord ? schema.valueType : undefined;
}
