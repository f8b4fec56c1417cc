import { expect, it } from 'vitest';
import { toldBy } from '#core/swarm/health-check.ts';

const GOOD = { ExitCode: 0, Output: '' };
const BAD = { ExitCode: 1, Output: 'HTTP 404' };
const WORSE = { ExitCode: 1, Output: 'HTTP 500' };
const LATE = { ExitCode: -1, Output: 'Health check exceeded timeout (1s)' };
const KILLED = { ExitCode: 137, Output: '' };

it.each([
  ['the last one', [GOOD, BAD, WORSE], WORSE],
  ['one that took too long', [BAD, LATE], LATE],
  ['one before those that were killed with the container', [BAD, KILLED, KILLED], BAD],
  ['one that was killed, where there is no other', [GOOD, KILLED], KILLED],
  ['the last one that failed', [BAD, GOOD], BAD],
  ['none where none failed', [GOOD], undefined],
])('tells of checks %s', (_what, results, told) => expect(toldBy(results)).toEqual(told));
