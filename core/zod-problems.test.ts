import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatProblem } from '#core/errors.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';
import { checkDocument } from '#core/zod-problems.ts';

const Port = z.strictObject({ name: z.string().optional(), number: z.int().min(1).max(65_535) });
const Shape = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('circle'), radius: z.number() }),
  z.strictObject({ kind: z.literal('square'), side: z.number() }),
]);
const Thing = z.strictObject({
  name: z.string().min(1),
  mode: z.enum(['fast', 'slow']).default('fast'),
  ports: z.array(Port).max(2).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  target: z.union([z.int(), z.string()]).optional(),
  from: z
    .union([z.strictObject({ file: z.string() }), z.strictObject({ variable: z.string() })])
    .optional(),
  shape: Shape.optional(),
});

function check(text: string): string[] {
  const [document] = parseYamlDocuments('f.yaml', text).documents;
  if (document === undefined) throw new Error('the text has no document');
  const checked = checkDocument(Thing, document, 'f.yaml');
  return 'problems' in checked ? checked.problems.map(formatProblem) : [];
}

describe('zodProblems', () => {
  it.each([
    { name: 'a missing key', text: 'mode: fast', problems: ['1:1: name: is required'] },
    {
      name: 'a misspelt key once',
      text: 'nmae: x',
      problems: ['1:1: nmae: unknown key (did you mean name?)'],
    },
    {
      name: 'an unknown key with those known',
      text: 'name: x\nports:\n  - number: 1\n    protocol: udp',
      problems: ['4:5: ports[0].protocol: unknown key (its keys: name, number)'],
    },
    { name: 'a wrong type', text: 'name: [x]', problems: ['1:1: name: must be text, is a list'] },
    {
      name: 'a number where text is wanted',
      text: 'name: x\nlabels:\n  app.io/v: 1',
      problems: ['3:3: labels["app.io/v"]: must be text, is 1 (put it in quotes: "1")'],
    },
    { name: 'an empty value', text: 'name:', problems: ['1:1: name: must be text, is empty'] },
    { name: 'empty text', text: 'name: ""', problems: ['1:1: name: must not be empty'] },
    {
      name: 'a value out of a list',
      text: 'name: x\nmode: fats',
      problems: ['2:1: mode: must be fast or slow, is fats (did you mean fast?)'],
    },
    {
      name: 'a number out of range',
      text: 'name: x\nports: [{ number: 0 }]',
      problems: ['2:11: ports[0].number: must be at least 1, is 0'],
    },
    {
      name: 'a long list',
      text: 'name: x\nports: [{ number: 1 }, { number: 2 }, { number: 3 }]',
      problems: ['2:1: ports: must have at most 2 items'],
    },
    {
      name: 'no option of a union',
      text: 'name: x\ntarget: []',
      problems: ['2:1: target: must be a number or text'],
    },
    {
      name: 'the option that was meant',
      text: 'name: x\nfrom: { fil: a }',
      problems: ['2:9: from.fil: unknown key (did you mean file?)'],
    },
    {
      name: 'a form that is not there',
      text: 'name: x\nshape: { kind: circl }',
      problems: ['2:10: shape.kind: must be circle or square, is circl (did you mean circle?)'],
    },
    {
      name: 'text where a mapping is wanted',
      text: 'name: x\nfrom: abc',
      problems: ['2:1: from: must be a mapping (its keys: file, variable)'],
    },
  ])('tells $name', ({ text, problems }) => {
    expect(check(text)).toEqual(problems.map((problem) => `f.yaml:${problem}`));
  });

  it('tells problems in the order of the file', () => {
    expect(check('mode: x\nports: 1\nname: 2').map((line) => line.split(':')[1])).toEqual([
      '1',
      '2',
      '3',
    ]);
  });
});
