import { resolve } from 'node:path';
import type { Command } from 'commander';
import { writeBackup } from '#adapters/state/backup.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findStateDir } from '../find-state-dir.ts';
import { bytesText } from '../format/bytes.ts';

interface BackupOptions extends JsonOption {
  state?: string;
  images: boolean;
}

export function backupCommand(context: CliContext): Command {
  return describeCommand(
    'backup',
    'write all that must not be lost of a server into one file; on its machine, running or not',
    ['windlass backup /mnt/backups/windlass-$(date +%F).tar.gz'],
  )
    .argument(
      '<file>',
      'the file to write; it holds every key and token, and is for its owner only',
    )
    .option('--state <folder>', 'the state folder; the nearest `.windlass` when left out')
    .option('--images', 'with the images of the registry that Windlass runs itself', false)
    .action(async (file: string, options: BackupOptions) => backup(context, file, options));
}

async function backup(context: CliContext, file: string, options: BackupOptions): Promise<void> {
  const target = resolve(context.cwd, file);
  const summary = await writeBackup(
    {
      stateDir: await findStateDir(context, options.state),
      file: target,
      withImages: options.images,
      machine: context.machine,
      at: context.now(),
    },
    context.signal,
  );
  if (options.json === true) {
    context.out(JSON.stringify({ file: target, ...summary }));
    return;
  }
  const { repositories, files, bytes } = summary;
  context.out(
    `wrote ${target}: ${repositories} repositories, ${files} files, ${bytesText(bytes)}; keep it secret`,
  );
}
