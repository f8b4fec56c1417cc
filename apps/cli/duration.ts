import { InvalidArgumentError } from 'commander';

const UNIT_SECONDS: Record<string, number> = { d: 86_400, h: 3_600, m: 60, s: 1 };

/** Seconds of `90s`, `30m`, `1h30m` or `2d`. */
export function parseSeconds(text: string): number {
  if (!/^(\d{1,6}[dhms])+$/.test(text))
    throw new InvalidArgumentError('It must be a duration, e.g. 30m, 2h or 1h30m.');
  const parts = [...text.matchAll(/(\d+)([dhms])/g)];
  return parts.reduce(
    (sum, [, count = '0', unit = 's']) => sum + Number(count) * (UNIT_SECONDS[unit] ?? 1),
    0,
  );
}
