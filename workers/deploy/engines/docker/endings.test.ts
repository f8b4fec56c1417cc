import { describe, expect, it } from 'vitest';
import { howItEnded } from './endings.ts';

function state(Status: string, ExitCode = 0, OOMKilled = false) {
  return { Status, ExitCode, OOMKilled, StartedAt: '', FinishedAt: '' };
}

const killed = { exitCode: 137, oomKilled: true };

describe('howItEnded', () => {
  it.each([
    ['takes what Docker says of one that has ended', state('exited', 7), undefined, 7, false],
    ['believes that over what was told before', state('restarting', 7), killed, 7, false],
    ['takes what was told of one that runs again', state('running'), killed, 137, true],
    ['knows no better of one of which nothing was told', state('running'), undefined, 0, false],
  ])('%s', (_name, now, told, exitCode, oomKilled) => {
    expect(howItEnded(now, told)).toEqual({ exitCode, oomKilled });
  });
});
