import { Argument, Command } from 'commander';
import { resetTokens } from '#adapters/state/tokens.ts';
import type { Role } from '#adapters/state/tokens.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findStateDir } from '../find-state-dir.ts';

interface ResetOptions extends JsonOption {
  state?: string;
}

const ROLES: Readonly<Record<string, readonly Role[]>> = {
  admin: ['admin'],
  worker: ['worker'],
  metrics: ['metrics'],
  all: ['admin', 'worker', 'metrics'],
};

export function tokenCommand(context: CliContext): Command {
  const reset = describeCommand(
    'reset',
    'replace tokens of a server; on its machine. A running server takes the new ones within seconds',
    ['windlass token reset', 'windlass token reset all --state /var/lib/windlass'],
  )
    .addArgument(
      new Argument('[whose]', 'whose token').choices(Object.keys(ROLES)).default('admin'),
    )
    .option('--state <folder>', 'the state folder; the nearest `.windlass` when left out')
    .action(async (whose: string, options: ResetOptions) => resetToken(context, whose, options));
  return new Command('token').description('tokens of a server').addCommand(reset);
}

async function resetToken(
  context: CliContext,
  whose: string,
  options: ResetOptions,
): Promise<void> {
  const roles = ROLES[whose] ?? [];
  const tokens = await resetTokens(await findStateDir(context, options.state), roles);
  if (options.json === true) {
    context.out(JSON.stringify(Object.fromEntries(roles.map((role) => [role, tokens[role]]))));
    return;
  }
  for (const role of roles) context.out(`${role}  ${tokens[role]}`);
  if (roles.includes('admin'))
    context.note(
      'log in again with it: windlass login <url>; and put it into the URLs of git remotes',
    );
  if (roles.includes('worker'))
    context.note('give it to workers that do not share the state folder: WINDLASS_WORKER_TOKEN');
  if (roles.includes('metrics'))
    context.note('give it to Prometheus, which reads /metrics with it');
}
