import { describe, expect, it } from 'vitest';
import { painter } from './colour.ts';
import { tableLines } from './table.ts';
import { printedLine } from './terminal.ts';
import { formatAge, formatDuration } from './time.ts';

it.each([
  [0, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [7_200_000, '2h'],
  [200_000_000, '2d'],
  [-5, '0s'],
])('tells an age of %d ms as %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

it.each([
  [12, '12ms'],
  [999.9, '999ms'],
  [4_250, '4.2s'],
  [59_999, '59.9s'],
  [65_000, '1m05s'],
])('tells %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it('aligns columns by what is seen, not by escape sequences', () => {
  const paint = painter(true);
  expect(
    tableLines(
      ['A', 'B'],
      [
        [paint('red', 'xyz'), '1'],
        ['y', ''],
      ],
    ),
  ).toEqual(['A    B', `${paint('red', 'xyz')}  1`, 'y']);
});

describe('printedLine', () => {
  it.each([
    { name: 'plain text', line: 'a\tb ü', colour: true, printed: 'a\tb ü' },
    { name: 'colours', line: '\u001B[31mred', colour: true, printed: '\u001B[31mred\u001B[0m' },
    { name: 'colours, unwanted', line: '\u001B[31mred\u001B[39m', colour: false, printed: 'red' },
    {
      name: 'the cursor',
      line: '\u001B[2J\u001B[1mx',
      colour: true,
      printed: '\u001B[1mx\u001B[0m',
    },
    { name: 'the title', line: '\u001B]0;title\u0007x', colour: true, printed: 'x' },
    { name: 'other controls', line: 'a\rb\u0000c\u009Bd', colour: false, printed: 'abcd' },
  ])('prints $name safely', ({ line, colour, printed }) => {
    expect(printedLine(line, colour)).toBe(printed);
  });
});
