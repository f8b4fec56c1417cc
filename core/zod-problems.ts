import { displayText } from '#core/present/display.ts';
import type { z } from 'zod';
import type { Problem } from '#core/errors.ts';
import { formatFieldPath, valueAt } from '#core/field-path.ts';
import type { FieldPath } from '#core/field-path.ts';
import { nearest } from '#core/suggest.ts';
import type { YamlDocument } from '#core/yaml-source.ts';
import { describeIssue } from '#core/zod-message.ts';
import { likeliestIssues } from '#core/zod-union.ts';
import { knownKeys, literalValues } from '#core/zod-schema.ts';

/** What is wrong with a value may hold much of it. */
const MESSAGE_CHARACTERS = 500;

/**
 * Words for a key that the schema does not have, from the keys that it has there and those that the file has. `meant` is
 * the key that was probably meant: that it is missing is then not told too.
 */
export type UnknownKey = (
  path: FieldPath,
  known: readonly string[],
  present: ReadonlySet<string>,
) => { message: string; hint?: string | undefined; meant?: string };

interface Checked {
  file: string;
  document: YamlDocument;
  schema: z.ZodType;
  unknownKey: UnknownKey;
}

/** Nobody reads more of them, and text may be made to have very many. */
const MOST_PROBLEMS = 100;

/** The document's value as the schema reads it, or the problems it has, in the file's order: the first hundred. */
export function checkDocument<Schema extends z.ZodType>(
  schema: Schema,
  document: YamlDocument,
  file: string,
  unknownKey: UnknownKey = describeUnknownKey,
): { value: z.infer<Schema> } | { problems: Problem[] } {
  const result = schema.safeParse(document.value);
  return result.success
    ? { value: result.data }
    : { problems: zodProblems(result.error.issues, { file, document, schema, unknownKey }) };
}

/** Each issue at its line and column, with what was probably meant where a key is unknown. */
function zodProblems(
  issues: readonly z.core.$ZodIssue[],
  { file, document, schema, unknownKey }: Checked,
): Problem[] {
  const found = issues
    .flatMap(likeliestIssues)
    .slice(0, MOST_PROBLEMS)
    .flatMap((issue) => findings(issue, document, schema, unknownKey));
  const meant = new Set(found.map(({ meantPath }) => meantPath));
  return found
    .filter(({ missing, path }) => !missing || !meant.has(formatFieldPath(path)))
    .slice(0, MOST_PROBLEMS)
    .map(({ path, message, hint }) => problemAt({ file, document, path, message, hint }))
    .toSorted((one, other) => one.line - other.line || one.column - other.column);
}

/** A problem at the field's place in its document. */
export function problemAt(where: {
  file: string;
  document: YamlDocument;
  path: FieldPath;
  message: string;
  hint?: string | undefined;
}): Problem {
  const { file, document, path, message, hint } = where;
  return {
    file,
    ...document.locate(path),
    path: displayText(formatFieldPath(path)),
    message: displayText(message, MESSAGE_CHARACTERS),
    ...(hint === undefined ? {} : { hint: displayText(hint, MESSAGE_CHARACTERS) }),
  };
}

interface Finding {
  path: FieldPath;
  message: string;
  hint?: string | undefined;
  /** A required field that is not there: not worth a line when a misspelt key next to it says so. */
  missing: boolean;
  meantPath?: string;
}

function findings(
  issue: z.core.$ZodIssue,
  document: YamlDocument,
  schema: z.ZodType,
  unknownKey: UnknownKey,
): Finding[] {
  const path = fieldPath(issue.path);
  if (issue.code !== 'unrecognized_keys') {
    const current = valueAt(document.value, path);
    const described = describeIssue(
      issue,
      current,
      literalValues(schema, path),
      document.written(path),
    );
    const known = described.message.includes('a mapping') ? knownKeys(schema, path) : [];
    const hint = described.hint ?? keysHint(known);
    return [{ path, missing: current === undefined, message: described.message, hint }];
  }
  const known = knownKeys(schema, path);
  const parent = valueAt(document.value, path);
  const present = new Set(typeof parent === 'object' && parent !== null ? Object.keys(parent) : []);
  return issue.keys.slice(0, MOST_PROBLEMS).map((key) => {
    const { message, hint, meant } = unknownKey([...path, key], known, present);
    return {
      path: [...path, key],
      message,
      hint,
      missing: false,
      ...(meant === undefined ? {} : { meantPath: formatFieldPath([...path, meant]) }),
    };
  });
}

function describeUnknownKey(
  path: FieldPath,
  known: readonly string[],
  present: ReadonlySet<string>,
): ReturnType<UnknownKey> {
  const others = known.filter((key) => !present.has(key));
  const meant = nearest(String(path.at(-1)), others);
  const message = 'unknown key';
  return meant === undefined
    ? { message, hint: keysHint(known) }
    : { message, hint: `did you mean ${meant}?`, meant };
}

function keysHint(known: readonly string[]): string | undefined {
  return known.length === 0 ? undefined : `its keys: ${[...new Set(known)].join(', ')}`;
}

function fieldPath(path: readonly PropertyKey[]): FieldPath {
  return path.map((segment) => (typeof segment === 'number' ? segment : String(segment)));
}
