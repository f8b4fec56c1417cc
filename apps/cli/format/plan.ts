import type { Colour, Paint } from './colour.ts';

const COLOURS: readonly [string, Colour][] = [
  ['+ ', 'green'],
  ['~ ', 'yellow'],
  ['-/+ ', 'yellow'],
  ['- ', 'red'],
  ['    ', 'dim'],
];

export function paintPlanLine(line: string, paint: Paint): string {
  const colour = COLOURS.find(([sign]) => line.startsWith(sign))?.[1];
  return colour === undefined ? line : paint(colour, line);
}
