import { resolve } from 'node:path';
import type { Command } from 'commander';
import { restoreBackup } from '#adapters/state/restore.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { newStateDir } from '../find-state-dir.ts';

interface RestoreOptions extends JsonOption {
  state?: string;
}

export function restoreCommand(context: CliContext): Command {
  return describeCommand('restore', 'make a state folder out of a backup', [
    'windlass restore windlass-2026-11-23.tar.gz',
  ])
    .argument('<file>', 'what `windlass backup` has written')
    .option('--state <folder>', 'the folder to make; `.windlass` here when left out')
    .action(async (file: string, options: RestoreOptions) => restore(context, file, options));
}

async function restore(context: CliContext, file: string, options: RestoreOptions): Promise<void> {
  const stateDir = newStateDir(context, options.state);
  const { at } = await restoreBackup(resolve(context.cwd, file), stateDir, context.signal);
  const made = new Date(at).toISOString();
  if (options.json === true) {
    context.out(JSON.stringify({ stateDir, at }));
    return;
  }
  context.out(`${stateDir} is as it was at ${made}; start Windlass with it`);
}
