import { expect, it } from 'vitest';
import { DockerError, isPassing } from '#adapters/docker/call.ts';

it.each([
  [400, false],
  [404, false],
  [409, false],
  [429, true],
  [500, true],
  [503, true],
])('knows whether what Docker refused with %i may pass', (status, passes) => {
  expect(isPassing(new DockerError(status, 'no'))).toBe(passes);
});
