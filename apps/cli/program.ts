import { Command, CommanderError } from 'commander';
import { UserError } from '#core/errors.ts';
import { adoptCommand } from './commands/adopt.ts';
import { backupCommand } from './commands/backup.ts';
import { cancelCommand } from './commands/cancel.ts';
import { completionCommand } from './commands/completion.ts';
import { confirmCommand } from './commands/confirm.ts';
import { deleteCommand } from './commands/delete.ts';
import { eventsCommand } from './commands/events.ts';
import { execCommand } from './commands/exec.ts';
import { forgetCommand } from './commands/forget.ts';
import { initCommand } from './commands/init.ts';
import { loginCommand } from './commands/login.ts';
import { logsCommand } from './commands/logs.ts';
import { planCommand } from './commands/plan.ts';
import { portForwardCommand } from './commands/port-forward.ts';
import { rebalanceCommand } from './commands/rebalance.ts';
import { releasesCommand } from './commands/releases.ts';
import { restartCommand } from './commands/restart.ts';
import { restoreCommand } from './commands/restore.ts';
import { retryCommand } from './commands/retry.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { scaleCommand } from './commands/scale.ts';
import { serversCommand } from './commands/servers.ts';
import { simulateCommand } from './commands/simulate.ts';
import { statusCommand } from './commands/status.ts';
import { openCommand } from './commands/open.ts';
import { resumeCommand, suspendCommand } from './commands/suspend.ts';
import { tokenCommand } from './commands/token.ts';
import { validateCommand } from './commands/validate.ts';
import { whyCommand } from './commands/why.ts';
import { complete } from './complete/complete.ts';
import type { CliContext } from './context.ts';
import { painter } from './format/colour.ts';

const INTERRUPTED_EXIT_CODE = 130;

const ROLES = `
Roles, each a process of its own (see docs/operations.md):
  windlass start            server and both workers in one process
  windlass server           the server
  windlass worker build     a build worker
  windlass worker deploy    a deploy worker

Example:
  $ windlass init && git push windlass main && windlass status`;

export function createProgram(context: CliContext): Command {
  const program = new Command('windlass')
    .description('From git push to running: build, release and deploy with Windlass.')
    .addHelpText('after', ROLES)
    .addCommand(loginCommand(context))
    .addCommand(initCommand(context))
    .addCommand(adoptCommand(context))
    .addCommand(validateCommand(context))
    .addCommand(planCommand(context))
    .addCommand(runsCommand(context))
    .addCommand(runCommand(context))
    .addCommand(logsCommand(context))
    .addCommand(statusCommand(context))
    .addCommand(serversCommand(context))
    .addCommand(eventsCommand(context))
    .addCommand(whyCommand(context))
    .addCommand(cancelCommand(context))
    .addCommand(retryCommand(context))
    .addCommand(rollbackCommand(context))
    .addCommand(releasesCommand(context))
    .addCommand(execCommand(context))
    .addCommand(portForwardCommand(context))
    .addCommand(openCommand(context))
    .addCommand(suspendCommand(context))
    .addCommand(resumeCommand(context))
    .addCommand(restartCommand(context))
    .addCommand(scaleCommand(context))
    .addCommand(simulateCommand(context))
    .addCommand(rebalanceCommand(context))
    .addCommand(confirmCommand(context))
    .addCommand(deleteCommand(context))
    .addCommand(forgetCommand(context))
    .addCommand(backupCommand(context))
    .addCommand(restoreCommand(context))
    .addCommand(tokenCommand(context))
    .addCommand(completionCommand(context));
  return redirected(program, context);
}

/** Runs one command line; answers the exit code. Only bugs are thrown. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  let exitCode = 0;
  const program = createProgram({
    ...context,
    setExitCode: (code) => {
      exitCode = code;
    },
  });
  try {
    // Words as they are typed are no command line yet.
    if (args[0] === '__complete') {
      await complete(program, args.slice(1), context);
      return 0;
    }
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (context.signal.aborted) return INTERRUPTED_EXIT_CODE;
    if (!(error instanceof UserError)) throw error;
    tell(error, args.includes('--json'), context);
    return 1;
  }
}

function tell({ code, message, hint }: UserError, json: boolean, context: CliContext): void {
  if (json) {
    const help = hint === undefined ? {} : { hint };
    context.note(JSON.stringify({ error: { code, message, ...help } }));
    return;
  }
  const paint = painter(context.colour);
  context.note(`${paint('red', 'error:')} ${message}`);
  if (hint !== undefined) context.note(`${paint('dim', 'hint:')} ${hint}`);
}

/** Commander ends the process and writes to it by itself unless told otherwise, for each command apart. */
function redirected(command: Command, context: CliContext): Command {
  for (const child of command.commands) redirected(child, context);
  return command.exitOverride().configureOutput({
    writeOut: (text) => context.out(text.trimEnd()),
    writeErr: (text) => context.note(text.trimEnd()),
  });
}
