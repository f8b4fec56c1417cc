import type { z } from 'zod';
import { suggestion } from '#core/suggest.ts';

interface Description {
  message: string;
  hint?: string | undefined;
}

/**
 * What is wrong in words of the file, not of the schema. A message that the schema gives itself is kept. `allowed` are
 * the values that a field which selects a form may have; `written` is a number or a boolean as the file has it.
 */
export function describeIssue(
  issue: z.core.$ZodIssue,
  current: unknown,
  allowed: readonly string[],
  written?: string,
): Description {
  if (current === undefined && issue.code !== 'custom') return { message: 'is required' };
  if (!isDefaultMessage(issue.message)) return { message: issue.message };
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, current, written);
    case 'invalid_value':
      return notOneOf(issue.values.map(String), current);
    case 'too_small':
      return { message: bound(issue.origin, 'at least', issue.minimum, current) };
    case 'too_big':
      return { message: bound(issue.origin, 'at most', issue.maximum, current) };
    case 'invalid_union':
      return issue.errors.length === 0 ? notOneOf(allowed, current) : wrongUnion(issue);
    case 'invalid_key':
      return { message: lowerFirst(issue.issues[0]?.message ?? 'is not a valid key') };
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      return { message: lowerFirst(issue.message) };
  }
}

const TYPE_WORDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function isDefaultMessage(message: string): boolean {
  return /^(Invalid |Too (small|big)|Unrecognized )/.test(message);
}

function wrongType(expected: string, current: unknown, written?: string): Description {
  const message = `must be ${TYPE_WORDS[expected] ?? expected}, is ${written ?? wordOf(current)}`;
  const scalar = typeof current === 'number' || typeof current === 'boolean';
  return expected === 'string' && scalar
    ? { message, hint: `put it in quotes: "${written ?? String(current)}"` }
    : { message };
}

function wordOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'object') return 'a mapping';
  return scalarText(value);
}

/** Of a number, a boolean or text: as it is written. */
function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}

function notOneOf(values: readonly string[], current: unknown): Description {
  return {
    message: `must be ${values.join(' or ')}, is ${typeof current === 'string' ? current : wordOf(current)}`,
    hint: typeof current === 'string' ? suggestion(current, values) : undefined,
  };
}

const UNITS: Record<string, string> = { string: 'character', array: 'item', map: 'entry' };

function bound(
  origin: string,
  word: 'at least' | 'at most',
  limit: number | bigint,
  current: unknown,
): string {
  const unit = UNITS[origin];
  if (unit === undefined) return `must be ${word} ${limit}, is ${scalarText(current)}`;
  if (word === 'at least' && Number(limit) === 1) return 'must not be empty';
  return `must have ${word} ${limit} ${unit}${Number(limit) === 1 ? '' : 's'}`;
}

function wrongUnion(issue: z.core.$ZodIssueInvalidUnion): Description {
  const expected = issue.errors.flatMap((issues) => issues.flatMap(expectations));
  return { message: `must be ${[...new Set(expected)].join(' or ')}` };
}

function expectations(issue: z.core.$ZodIssue): string[] {
  if (issue.path.length > 0) return [];
  if (issue.code === 'invalid_type') return [TYPE_WORDS[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code === 'invalid_union') {
    return issue.errors.flatMap((issues) => issues.flatMap(expectations));
  }
  return [];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
