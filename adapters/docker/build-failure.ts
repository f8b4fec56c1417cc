import type { BuildFailure } from '#adapters/docker/build-output.ts';
import { messageOf, UserError } from '#core/errors.ts';

const EXIT_CODE = /(?:exit code: |non-zero code: )(\d+)/;
const NOISE =
  /^(failed to solve with frontend \S+: |failed to create LLB definition: |failed to build LLB: |failed to solve: |rpc error: code = \w+ desc = )+/;
/** Between Docker and a registry, not in a step of ours. */
const NETWORK =
  /dial tcp|i\/o timeout|tls handshake timeout|connection (refused|reset)|no such host|server misbehaving|unexpected eof|unexpected status(?: code)?[^\n]* (?:5\d\d|429)|failed to do request|toomanyrequests|context deadline exceeded/i;

/** What the operator should hear: which step, how it ended, and the last that it said. */
export function explainBuild(
  { what, purpose }: { what: string; purpose: 'test' | 'image' },
  { message, step, tail = [] }: BuildFailure,
  cause: unknown,
): UserError {
  if (message instanceof UserError && message.code !== 'build-failed') return message;
  const text = messageOf(message).replace(NOISE, '').trim();
  const exitCode = EXIT_CODE.exec(text)?.[1];
  const code = purpose === 'test' ? 'test-failed' : 'build-failed';
  const subject = purpose === 'test' ? `the test of ${what}` : `building ${what}`;
  if (exitCode !== undefined) {
    const quoted = tail.map((line) => `  ${line}`);
    const summary = `${subject} failed: ${step ?? 'a step'} ended with exit code ${exitCode}`;
    return new UserError(code, [summary, ...quoted].join('\n'));
  }
  const transient = NETWORK.test(text);
  return new UserError(code, `${subject} failed: ${text}`, { transient, cause });
}
