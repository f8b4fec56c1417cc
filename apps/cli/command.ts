import { Command } from 'commander';

export interface JsonOption {
  json?: boolean;
}

/** A command with its examples in its help, and `--json`. */
export function describeCommand(
  name: string,
  summary: string,
  examples: readonly string[],
): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'print JSON, of a stable form, instead of text')
    .addHelpText('after', `\nExample:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}
