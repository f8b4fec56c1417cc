import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { StreamAgent } from './stream-agent.ts';

it('is not written out with all that hangs on it', () => {
  const agent = new StreamAgent(() => Promise.resolve(new PassThrough()));
  expect(inspect({ agent }, { showHidden: true, depth: null })).toBe('{ agent: StreamAgent }');
});
