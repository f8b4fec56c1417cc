import type { ProblemList } from '#core/api/problem.ts';
import { displayLines } from '#core/present/display.ts';
import type { Paint } from './colour.ts';
import { formatAge } from './time.ts';

/** What is wrong with what is declared, with an empty line at its end; nothing where nothing is. */
export function problemLines(
  problems: ProblemList['problems'],
  paint: Paint,
  now: number,
): string[] {
  if (problems.length === 0) return [];
  return [
    ...problems.map(({ of, pipeline, message, since }) => {
      const what =
        of === 'configuration'
          ? 'the newest configuration is not in force'
          : `the source of ${pipeline} cannot be looked at`;
      const text = `${what} for ${formatAge(now - since)}: ${displayLines(message).join(' ')}`;
      return paint('red', text);
    }),
    '',
  ];
}
