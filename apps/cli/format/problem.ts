import type { ProblemList } from '#core/api/problem.ts';
import { displayLines } from '#core/present/display.ts';
import type { Paint } from './colour.ts';
import { formatAge } from './time.ts';

type Problem = ProblemList['problems'][number];

/** What is wrong with what is declared, with an empty line at its end; nothing where nothing is. */
export function problemLines(problems: readonly Problem[], paint: Paint, now: number): string[] {
  if (problems.length === 0) return [];
  return [
    ...problems.map(({ of, pipeline, message, since }) => {
      const text = `${whatOf(of, pipeline)} for ${formatAge(now - since)}: ${displayLines(message).join(' ')}`;
      return paint('red', text);
    }),
    '',
  ];
}

function whatOf(of: Problem['of'], pipeline: string | undefined): string {
  switch (of) {
    case 'configuration':
      return 'the newest configuration is not in force';
    case 'source':
      return `the source of ${pipeline} cannot be looked at`;
    case 'declaration':
      return `what the repository of ${pipeline} declares is not in force`;
  }
}
