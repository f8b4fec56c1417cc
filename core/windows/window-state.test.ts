import { describe, expect, it } from 'vitest';
import { Window } from '#core/windows/window.ts';
import { closedText, windowState } from '#core/windows/window-state.ts';

function window(text: string, others: object = {}): Window {
  const [kind, schedule, minutes] = text.split('|');
  return Window.parse({ kind, schedule, minutes: Number(minutes), ...others });
}

const NIGHT = window('allow|0 22 * * *|120');
const FREEZE = window('deny|0 0 24 12 *|4320');

describe('windowState', () => {
  it.each<[string, Window[], string, string | undefined]>([
    ['is open without windows', [], '2026-01-01T12:00Z', 'open'],
    ['is open in one that allows', [NIGHT], '2026-01-01T22:00Z', 'open'],
    ['is open to its last moment', [NIGHT], '2026-01-01T23:59:59.999Z', 'open'],
    ['is closed at its end', [NIGHT], '2026-01-02T00:00Z', '2026-01-02T22:00:00.000Z'],
    ['is open outside of one that denies', [FREEZE], '2026-12-23T23:59Z', 'open'],
    ['is closed in one that denies', [FREEZE], '2026-12-25T00:00Z', '2026-12-27T00:00:00.000Z'],
    [
      'is closed where one allows and another denies, until both let it',
      [NIGHT, FREEZE],
      '2026-12-24T22:30Z',
      '2026-12-27T22:00:00.000Z',
    ],
    [
      'goes on where one that denies begins again before it ends',
      [window('deny|0 * * * *|90'), window('allow|0 0 1 1 *|1')],
      '2026-06-01T00:30Z',
      undefined,
    ],
    [
      'goes by the time zone, in summer',
      [window('allow|0 9 * * *|60', { timeZone: 'Europe/Berlin' })],
      '2026-07-01T07:30Z',
      'open',
    ],
    [
      'and in winter',
      [window('allow|0 9 * * *|60', { timeZone: 'Europe/Berlin' })],
      '2026-01-01T07:30Z',
      '2026-01-01T08:00:00.000Z',
    ],
    [
      'opens on time after clocks have changed',
      [window('allow|0 9 * * *|60', { timeZone: 'Europe/Berlin' })],
      '2026-03-28T12:00Z',
      '2026-03-29T07:00:00.000Z',
    ],
  ])('%s', (_name, windows, now, expected) => {
    const state = windowState(windows, Date.parse(now));
    const opensAt = state.isOpen ? undefined : state.opensAt;
    const found = opensAt === undefined ? undefined : new Date(opensAt).toISOString();
    expect(state.isOpen ? 'open' : found).toBe(expected);
  });

  it.each([
    ['all that close it let it be', [NIGHT, window('allow|0 3 * * *|60')], true],
    ['one of them does not', [NIGHT, window('deny|0 * * * *|60', { override: false })], false],
    [
      'one that does not is not on',
      [NIGHT, window('deny|0 3 * * *|60', { override: false })],
      true,
    ],
  ])('may be overridden where %s', (_name, windows, expected) => {
    const state = windowState(windows, Date.parse('2026-01-01T12:00Z'));
    expect(state).toMatchObject({ isOpen: false, mayOverride: expected });
  });

  it('is told with its end and its windows', () => {
    const state = windowState([NIGHT], Date.parse('2026-01-01T12:00Z'));
    expect(state.isOpen ? '' : closedText(state)).toBe(
      'deploys are closed until 2026-01-01 22:00 UTC (allowed only at 0 22 * * * UTC for 120 min)',
    );
  });
});
