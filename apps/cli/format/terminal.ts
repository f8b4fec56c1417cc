import { stripVTControlCharacters } from 'node:util';

// oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
const COLOUR_SEQUENCE = /(\u001B\[[0-9;]*m)/;
const RESET = '\u001B[0m';

/**
 * A line that somebody's build or program printed, without what could move the cursor or retitle the window. Colours
 * stay where they are wanted, and end with the line.
 */
export function printedLine(line: string, colour: boolean): string {
  if (!colour) return withoutControls(line);
  const parts = line.split(COLOUR_SEQUENCE);
  if (parts.length === 1) return withoutControls(line);
  const kept = parts.map((part) => (COLOUR_SEQUENCE.test(part) ? part : withoutControls(part)));
  return `${kept.join('')}${RESET}`;
}

function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replace(/(?!\t)\p{Cc}/gu, '');
}
