import { InvalidArgumentError } from 'commander';

/** A number of lines, as the query of a URL has it. */
export function parseLines(text: string): string {
  if (/^\d{1,6}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a number of lines.');
}
