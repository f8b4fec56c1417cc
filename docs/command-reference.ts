import type { Command } from 'commander';
import { FAKE_TERMINAL } from '../apps/cli/fake-world.ts';
import { createProgram } from '../apps/cli/program.ts';

/** The help of every command, as it is printed. */
export function commandReference(): string {
  const program = createProgram({
    cwd: '.',
    configFile: '',
    machine: {},
    out: () => {},
    note: () => {},
    colour: false,
    readSecret: () => Promise.resolve(''),
    terminal: FAKE_TERMINAL,
    now: () => 0,
    signal: new AbortController().signal,
    setExitCode: () => {},
  });
  return sections(program, []).join('\n');
}

function sections(command: Command, parents: readonly string[]): string[] {
  const names = [...parents, command.name()];
  const help = helpOf(command);
  return [
    `## ${names.join(' ')}\n\n\`\`\`\n${help}\n\`\`\`\n`,
    ...command.commands.flatMap((child) => sections(child, names)),
  ];
}

/** With what was added by `addHelpText`, which `helpInformation` alone leaves out. */
function helpOf(command: Command): string {
  const written: string[] = [];
  command.configureOutput({
    writeOut: (text) => written.push(text),
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return written.join('').trimEnd();
}
