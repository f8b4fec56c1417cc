import type { Command } from 'commander';
import { createClient } from '../client.ts';
import type { CliContext } from '../context.ts';
import { findServer } from '../find-server.ts';
import { knownNames } from './names.ts';
import { expectedNext } from './words.ts';
import type { Candidate, Expected } from './words.ts';

/** Who presses a key does not wait long. */
const SERVER_MS = 1_500;

/** Prints what may stand in the place of the last word, a line each: the text, a tab, and what it means. */
export async function complete(
  program: Command,
  words: readonly string[],
  context: CliContext,
): Promise<void> {
  const expected = expectedNext(program, words);
  const all = [...expected.candidates, ...(await namesOf(expected, context))];
  const typed = words.at(-1) ?? '';
  const found = new Map(
    all.filter(({ text }) => text.startsWith(typed)).map((one) => [one.text, one]),
  );
  for (const { text, about } of found.values()) context.out(`${text}\t${about}`);
}

/** None where the server does not answer: a shell has no place for errors here. */
async function namesOf({ name, before }: Expected, context: CliContext): Promise<Candidate[]> {
  if (name === undefined) return [];
  try {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(SERVER_MS)]);
    return await knownNames(createClient(await findServer(context), signal), name, before);
  } catch {
    return [];
  }
}
