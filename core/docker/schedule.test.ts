import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSchedule, isTimeZone, scheduleProblem } from '#core/docker/schedule.ts';
import { scheduleFields } from '#core/docker/schedule-fields.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function after(text: string, from: string, count: number, timeZone?: string): string[] {
  const schedule = createSchedule(text, timeZone);
  const times: string[] = [];
  let at: number | undefined = Date.parse(from);
  while (times.length < count) {
    at = schedule.next(at);
    if (at === undefined) break;
    times.push(new Date(at).toISOString().slice(0, 16));
  }
  return times;
}

describe('a schedule', () => {
  it.each([
    ['* * * * *', ['2026-11-28T12:35', '2026-11-28T12:36']],
    ['*/20 * * * *', ['2026-11-28T12:40', '2026-11-28T13:00']],
    ['5/20 * * * *', ['2026-11-28T12:45', '2026-11-28T13:05']],
    ['? ? ? ? ?', ['2026-11-28T12:35', '2026-11-28T12:36']],
    ['0,30 9-17 * * mon-fri', ['2026-11-30T09:00', '2026-11-30T09:30']],
    ['0 0 1 JAN,jul *', ['2027-01-01T00:00', '2027-07-01T00:00']],
    // Where both days are said, either will do; where one is every day, it does not count.
    ['0 0 13 * 5', ['2026-12-04T00:00', '2026-12-11T00:00']],
    ['0 0 */1 * 1', ['2026-11-30T00:00', '2026-12-07T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['0 0-23/30 * * *', ['2026-11-29T00:00', '2026-11-30T00:00']],
    ['@hourly', ['2026-11-28T13:00', '2026-11-28T14:00']],
    ['@daily', ['2026-11-29T00:00', '2026-11-30T00:00']],
    ['@midnight', ['2026-11-29T00:00', '2026-11-30T00:00']],
    ['@weekly', ['2026-11-29T00:00', '2026-12-06T00:00']],
    ['@monthly', ['2026-12-01T00:00', '2027-01-01T00:00']],
    ['@yearly', ['2027-01-01T00:00', '2028-01-01T00:00']],
    ['@annually', ['2027-01-01T00:00', '2028-01-01T00:00']],
  ])('%s', (text, times) => {
    expect(scheduleProblem(text)).toBeUndefined();
    expect(after(text, '2026-11-28T12:34:30Z', 2)).toEqual(times);
  });

  it.each([
    ['', /five fields/],
    ['* * * *', /five fields: minute, hour, day of month, month, day of week/],
    ['0 * * * * *', /five fields/],
    ['60 * * * *', /^minute 60 must be 0 to 59$/],
    ['* 24 * * *', /^hour 24/],
    ['* * 0 * *', /^day of month 0 must be 1 to 31$/],
    ['* * * 13 *', /^month 13 must be 1 to 12, or jan, feb/],
    ['* * * * 7', /^day of week 7 must be 0 to 6/],
    ['* * * * fri-mon', /ends before it begins/],
    ['*/0 * * * *', /a step is 1 or more/],
    ['/5 * * * *', /is no value, range or step/],
    ['*-5 * * * *', /is no value, range or step/],
    ['1,,2 * * * *', /is no value, range or step/],
    ['1-2-3 * * * *', /is no value, range or step/],
    ['+1 * * * *', /is no value, range or step/],
    ['0 0 L * *', /^day of month L must be/],
    ['0 0 * * 1#2', /is no value, range or step/],
    ['0 0 30 2 *', /never comes/],
    ['@every 5m', /times of the clock/],
    ['@reboot', /there is no @reboot, but @yearly/],
    ['@Daily', /there is no @Daily/],
    ['TZ=UTC * * * * *', /timeZone/],
    ['CRON_TZ=UTC * * * * *', /timeZone/],
  ])('is refused: %s', (text, message) => {
    expect(scheduleProblem(text)).toMatch(message);
  });

  it('is in the time zone that is said', () => {
    expect(after('30 8 * * *', '2026-11-28T12:00:00Z', 1, 'Asia/Tokyo')).toEqual([
      '2026-11-28T23:30',
    ]);
  });

  it.each([
    // Clocks are set forward at 2:00 in New York on 8 March 2026, back at 2:00 on 1 November.
    ['a time that is skipped is skipped', '30 2 * * *', '2026-03-07T12:00Z', ['2026-03-09T06:30']],
    [
      'a time that comes twice is there twice',
      '30 1 * * *',
      '2026-10-31T12:00Z',
      ['2026-11-01T05:30', '2026-11-01T06:30', '2026-11-02T06:30'],
    ],
    [
      'each hour of the clock',
      '0 * * * *',
      '2026-03-08T05:30Z',
      ['2026-03-08T06:00', '2026-03-08T07:00'],
    ],
    [
      'each hour, also the one that comes twice',
      '0 * * * *',
      '2026-11-01T04:30Z',
      ['2026-11-01T05:00', '2026-11-01T06:00', '2026-11-01T07:00'],
    ],
    [
      'the same time of the clock on the days around',
      '0 12 * * *',
      '2026-03-06T18:00Z',
      ['2026-03-07T17:00', '2026-03-08T16:00'],
    ],
  ])('%s', (_, text, from, times) => {
    expect(after(text, from, times.length, 'America/New_York')).toEqual(times);
  });

  it('looks back as it looks forward, also where clocks change', () => {
    const Hour = fc.oneof(fc.constant('*'), fc.constant('*/2'), fc.integer({ min: 0, max: 4 }));
    const Minute = fc.oneof(
      fc.constant('*/15'),
      fc.constant('0,30'),
      fc.integer({ min: 0, max: 59 }),
    );
    const Day = fc.constantFrom(
      '2026-03-08',
      '2026-11-01',
      '2026-03-29',
      '2026-10-25',
      '2026-10-04',
      '2026-04-05',
    );
    const Zone = fc.constantFrom('America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'UTC');
    fc.assert(
      fc.property(
        Minute,
        Hour,
        Day,
        Zone,
        fc.integer({ min: -720, max: 2_160 }),
        (minute, hour, day, zone, offset) => {
          const text = `${minute} ${hour} * * *`;
          const schedule = createSchedule(text, zone);
          const now = Date.parse(`${day}T00:00Z`) + offset * MINUTE + 12_345;
          expect(schedule.latest(now)).toBe(lastOf(text, zone, now));
          const latest = schedule.latest(now) ?? 0;
          expect(schedule.next(latest - 1)).toBe(latest);
          expect(schedule.next(latest)).toBeGreaterThan(now);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('counts times without end', () => {
    const schedule = createSchedule('* * * * *');
    const now = Date.parse('2026-11-28T12:00Z');
    expect(schedule.count(now - 3 * MINUTE, now, 101)).toBe(3);
    expect(schedule.count(now - 100 * 24 * HOUR, now, 101)).toBe(101);
  });
});

/** By looking at the clock on the wall of each minute before. */
function lastOf(text: string, timeZone: string, now: number): number | undefined {
  const [minutes = '', hours = ''] = scheduleFields(text);
  const clock = new Intl.DateTimeFormat('en', {
    timeZone,
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  for (let at = Math.floor(now / MINUTE) * MINUTE; at > now - 72 * HOUR; at -= MINUTE) {
    const parts = clock.formatToParts(at);
    const [hour, minute] = ['hour', 'minute'].map((type) =>
      Number(parts.find((part) => part.type === type)?.value),
    );
    if (matches(minutes, minute ?? 0) && matches(hours, hour ?? 0)) return at;
  }
  return undefined;
}

function matches(field: string, value: number): boolean {
  if (field === '*') return true;
  return field.split(',').some((range) => {
    const [, first, last, step] = /^(\d+)-(\d+)\/(\d+)$/.exec(range)?.map(Number) ?? [];
    const [from = 0, until = 0, by = 1] = [first, last, step];
    return value >= from && value <= until && (value - from) % by === 0;
  });
}

describe('a time zone', () => {
  it.each([
    ['Europe/Berlin', true],
    ['Etc/UTC', true],
    ['UTC', true],
    ['Mars/Phobos', false],
    ['Local', false],
    ['', false],
    ['+02:00', false],
  ])('%s: %s', (name, expected) => expect(isTimeZone(name)).toBe(expected));
});
