import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, it } from 'vitest';
import { isDocumented, openApiDocument } from '#core/api/openapi.ts';

it('is a valid document', async () => {
  const result = await new Validator().validate(openApiDocument());
  expect(result).toEqual({ valid: true });
});

it('knows its routes', () => {
  expect(isDocumented('POST', '/runs/:id/cancel')).toBe(true);
  expect(isDocumented('GET', '/runs/:id/cancel')).toBe(false);
});
