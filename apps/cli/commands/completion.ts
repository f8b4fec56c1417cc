import { Argument, Command } from 'commander';
import { SCRIPTS } from '../complete/scripts.ts';
import type { CliContext } from '../context.ts';

export function completionCommand(context: CliContext): Command {
  return new Command('completion')
    .description('print what makes a shell complete commands, options and names')
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
Example:
  $ source <(windlass completion bash)       # bash, in ~/.bashrc
  $ source <(windlass completion zsh)        # zsh, in ~/.zshrc after compinit
  $ windlass completion fish | source        # fish, in ~/.config/fish/config.fish`,
    )
    .action((shell: string) => context.out(SCRIPTS[shell] ?? ''));
}
