/** What a field of a schedule may name: `minute`, 0 to 59. */
interface Field {
  name: string;
  min: number;
  max: number;
  /** In the order of their numbers, from the first one. */
  words?: readonly string[];
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 6, words: DAYS },
];

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Thrown with what is wrong. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

/** The five fields of a schedule as ranges with steps, `0-0/1 9-17/2 * * 1-5/1`: so they mean what Kubernetes means. */
export function scheduleFields(schedule: string): string[] {
  const text = Object.hasOwn(NICKNAMES, schedule) ? (NICKNAMES[schedule] ?? '') : schedule;
  if (/^(CRON_)?TZ=/.test(text))
    throw new ScheduleError('names a time zone: that is said in timeZone');
  if (text.startsWith('@every'))
    throw new ScheduleError('runs are at times of the clock: say which, e.g. */5 * * * *');
  if (text.startsWith('@'))
    throw new ScheduleError(`there is no ${text}, but ${Object.keys(NICKNAMES).join(', ')}`);
  const parts = text.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== FIELDS.length)
    throw new ScheduleError(`must have five fields: ${FIELDS.map(({ name }) => name).join(', ')}`);
  return FIELDS.map((field, index) => fieldOf(parts[index] ?? '', field));
}

function fieldOf(text: string, field: Field): string {
  const ranges = text.split(',').map((range) => rangeOf(range, field));
  return ranges.includes('*') ? '*' : ranges.join(',');
}

function rangeOf(text: string, field: Field): string {
  const [, first = '', last, by] =
    /^([a-z0-9]+|[*?])(?:-([a-z0-9]+))?(?:\/(\d+))?$/i.exec(text) ?? [];
  const isAll = first === '*' || first === '?';
  if (first === '' || (isAll && last !== undefined))
    throw new ScheduleError(`${field.name} ${JSON.stringify(text)} is no value, range or step`);
  const step = Number(by ?? 1);
  if (step === 0) throw new ScheduleError(`${field.name} ${text}: a step is 1 or more`);
  if (isAll && step === 1) return '*';
  const from = isAll ? field.min : numberOf(first, field);
  const until = endOf({ last, from, isOpen: isAll || by !== undefined }, field);
  if (until < from) throw new ScheduleError(`${field.name} ${text} ends before it begins`);
  const isOnce = step > until - from;
  return isOnce ? `${from}-${from}/1` : `${from}-${until}/${step}`;
}

function endOf(
  { last, from, isOpen }: { last: string | undefined; from: number; isOpen: boolean },
  field: Field,
): number {
  if (last !== undefined) return numberOf(last, field);
  return isOpen ? field.max : from;
}

function numberOf(text: string, { name, min, max, words = [] }: Field): number {
  const word = words.indexOf(text.toLowerCase());
  const number = word < 0 ? Number(text) : min + word;
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  const named = words.length === 0 ? '' : `, or ${words.join(', ')}`;
  throw new ScheduleError(`${name} ${text} must be ${min} to ${max}${named}`);
}
