import type { Command, Option } from 'commander';

/** What may come next on a command line: a text, and what it means. */
export interface Candidate {
  text: string;
  about: string;
}

/** What may come next: texts that are known, and perhaps names that only the server knows. */
export interface Expected {
  candidates: Candidate[];
  /** As arguments and options are called in help, e.g. `pipeline` or `kind/name`. */
  name?: string;
  /** Arguments before it. */
  before: string[];
}

/** What may stand in the place of the last word, which is what has been typed of it. */
export function expectedNext(program: Command, words: readonly string[]): Expected {
  let command = program;
  let before: string[] = [];
  let valueOf: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (valueOf !== undefined) {
      valueOf = undefined;
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ long, short }) => long === word || short === word);
      if (option?.required === true) valueOf = option;
    } else {
      const child = before.length === 0 ? childOf(command, word) : undefined;
      if (child === undefined) before = [...before, word];
      else command = child;
    }
  }
  if (valueOf !== undefined) {
    const texts = (valueOf.argChoices ?? []).map((text) => ({ text, about: '' }));
    return { candidates: texts, ...named(valueNameOf(valueOf)), before };
  }
  const last = words.at(-1) ?? '';
  if (last.startsWith('-')) return { candidates: optionsOf(command), before };
  const argument =
    command.registeredArguments[before.length] ??
    command.registeredArguments.findLast(({ variadic }) => variadic);
  const choices = (argument?.argChoices ?? []).map((text) => ({ text, about: '' }));
  const children = before.length === 0 ? childrenOf(command) : [];
  return { candidates: [...children, ...choices], ...named(argument?.name()), before };
}

function childOf(command: Command, word: string): Command | undefined {
  return command.commands.find((child) => child.name() === word);
}

function childrenOf(command: Command): Candidate[] {
  return command.commands.map((child) => ({ text: child.name(), about: child.description() }));
}

function optionsOf(command: Command): Candidate[] {
  const own = command.options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ text: long, about: description }],
  );
  return [...own, { text: '--help', about: 'display help for command' }];
}

/** `cluster` of `--cluster <name>`, `kind/name` of `--workload <kind/name>`. */
function valueNameOf(option: Option): string {
  const value = /<([^>]*)>/.exec(option.flags)?.[1] ?? '';
  return value === 'name' ? option.attributeName() : value;
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}
