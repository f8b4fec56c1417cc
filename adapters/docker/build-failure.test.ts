import { describe, expect, it } from 'vitest';
import { explainBuild } from './build-failure.ts';

const WEB = { what: 'image web', purpose: 'image' } as const;

describe('explainBuild', () => {
  it.each([
    [
      'failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: X',
      'building image web failed: dockerfile parse error line 2: unknown instruction: X',
      false,
    ],
    [
      'failed to solve: rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: failed to do request: Head https://r/v2/: dial tcp: lookup r: no such host',
      'building image web failed: failed to do request: Head https://r/v2/: dial tcp: lookup r: no such host',
      true,
    ],
    ['unexpected status code [manifests 1]: 503 Service Unavailable', expect.any(String), true],
    ['pull access denied for x, repository does not exist', expect.any(String), false],
  ])('%s', (text, message, transient) => {
    expect(explainBuild(WEB, { message: text }, undefined)).toMatchObject({
      code: 'build-failed',
      message: message as string,
      transient,
    });
  });

  it('does not try a test again that spoke of the network', () => {
    const failure = {
      message: 'executor failed running [/bin/sh -c npm test]: exit code: 1',
      step: '[check 2/2] RUN npm test',
      tail: ['dial tcp: connection refused'],
    };
    expect(explainBuild({ ...WEB, purpose: 'test' }, failure, undefined)).toMatchObject({
      code: 'test-failed',
      transient: false,
      message:
        'the test of image web failed: [check 2/2] RUN npm test ended with exit code 1\n  dial tcp: connection refused',
    });
  });
});
