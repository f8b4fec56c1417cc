import fc from 'fast-check';

/** How many inputs of each sort are tried; `RUNS=20000` tries more. */
export const RUNS = Number(process.env['RUNS'] ?? 300);

/** What YAML, JSON, shells and paths have made trouble with. */
const AWKWARD = fc.constantFrom<unknown[]>(
  null,
  '',
  ' ',
  '<<',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '/etc/passwd',
  'a\0b',
  '\u202E\uFEFF',
  '\uD800',
  '$(reboot)',
  '`id`',
  '-',
  '--help',
  '0644',
  '1e999',
  'yes',
  -1,
  0,
  1.5,
  2 ** 53,
  1e308,
  [],
  {},
  [[]],
  { __proto__: null },
  'x'.repeat(70_000),
);
const anything = fc.oneof(AWKWARD, fc.jsonValue({ maxDepth: 3 }));

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

interface Change {
  /** Which of all the places, counted from the top. */
  place: number;
  how: 'replace' | 'remove' | 'rename' | 'add' | 'repeat' | 'nest';
  value: unknown;
  key: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  place: fc.nat(500),
  how: fc.constantFrom('replace', 'replace', 'remove', 'rename', 'add', 'repeat', 'nest'),
  value: anything,
  key: fc.oneof(fc.string(), fc.constantFrom('name', 'spec', '<<', '__proto__', 'kind', '')),
});

/** Of values that are valid: with some of it replaced, taken away, added, or put elsewhere. */
export function damaged(values: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.constantFrom(...values), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([value, changes]) => {
      let copy = structuredClone(value) as Json;
      for (const each of changes) copy = carryOut(copy, structuredClone(each));
      return copy;
    });
}

/** Of texts that are valid: with pieces of them cut out, doubled or replaced. */
export function damagedText(texts: readonly string[]): fc.Arbitrary<string> {
  const cut = fc.record({
    at: fc.nat(2_000),
    length: fc.nat(40),
    by: fc.oneof(
      { weight: 10, arbitrary: fc.string({ maxLength: 20, unit: 'binary' }) },
      {
        weight: 10,
        arbitrary: fc.constantFrom(
          '',
          '\0',
          '\t',
          '\n',
          '---\n',
          '&a ',
          '*a',
          '{',
          '[',
          '"',
          '!!map ',
          '%',
          '| ',
          '? ',
        ),
      },
      { weight: 1, arbitrary: fc.constant('['.repeat(5_000)) },
    ),
  });
  return fc
    .tuple(fc.constantFrom(...texts), fc.array(cut, { minLength: 1, maxLength: 5 }))
    .map(([text, cuts]) =>
      cuts.reduce((left, { at, length, by }) => {
        const start = at % (left.length + 1);
        return left.slice(0, start) + by + left.slice(start + length);
      }, text),
    );
}

function carryOut(value: Json, { place, how, value: other, key }: Change): Json {
  const holders = holdersIn(value);
  const holder = holders[place % holders.length];
  if (holder === undefined) return other as Json;
  const keys = Object.keys(holder);
  const chosen = keys[place % keys.length] ?? key;
  const inside = holder as { [key: string]: Json };
  // Not what it inherits, which is everybody's.
  const held = Object.hasOwn(holder, chosen) ? (inside[chosen] ?? null) : null;
  switch (how) {
    case 'replace':
      put(holder, chosen, other);
      break;
    case 'remove':
      delete inside[chosen];
      break;
    case 'rename':
      delete inside[chosen];
      put(holder, key, held);
      break;
    case 'add':
      put(holder, key, other);
      break;
    case 'repeat':
      if (Array.isArray(holder)) holder.push(...structuredClone(holder.slice(0, 3)));
      break;
    case 'nest':
      put(holder, chosen, [held]);
      break;
  }
  return value;
}

/** Also where the key is one that an assignment would take for the prototype. */
function put(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function holdersIn(value: Json): (Json[] | { [key: string]: Json })[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(holdersIn)];
}
