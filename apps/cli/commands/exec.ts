import type { Command } from 'commander';
import { UserError } from '#core/errors.ts';
import type { Start } from '#core/tunnel/frame.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { runExec } from '../run-exec.ts';
import { parseWorkload } from '../workload.ts';

interface ExecOptions extends JsonOption {
  stdin?: boolean;
  tty?: boolean;
  container?: string;
  namespace: string;
  cluster?: string;
}

export function execCommand(context: CliContext): Command {
  return describeCommand(
    'exec',
    'run a command in a running container, and exit with its exit code',
    [
      'windlass exec deployment/web -- ls -l /app',
      'windlass exec -it pod/web-5d4f7c9a-0 -n shop -- sh',
      'windlass exec -i deployment/db -- psql < dump.sql',
    ],
  )
    .argument('<kind/name>', 'a workload, of which one pod is taken, or a pod', parseWorkload)
    .argument('<command...>', 'what to run, after --')
    .option('-i, --stdin', 'pass our input on to it')
    .option('-t, --tty', 'give it a terminal')
    .option('-c, --container <name>', 'in this container, where the pod has several')
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', "the workload's cluster; may be left out where there is one")
    .action(async (workload: string, command: string[], options: ExecOptions) =>
      exec(context, workload, command, options),
    );
}

async function exec(
  context: CliContext,
  workload: string,
  command: string[],
  options: ExecOptions,
): Promise<void> {
  const { terminal } = context;
  const { stdin = false, tty = false, json = false, namespace, container } = options;
  if (tty && (json || !terminal.isInteractive))
    throw new UserError('invalid-input', '-t needs a terminal for input and output', {
      hint: 'leave -t out',
    });
  const client = await connect(context);
  const cluster = await findCluster(client, options.cluster);
  const query = { workload, namespace, container };
  const tunnel = await client.tunnel(apiPath(['clusters', cluster, 'exec'], query));
  const start: Start = {
    command,
    ...(tty ? { terminal: { type: terminal.type, ...terminal.size() } } : {}),
  };
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const exitCode = await runExec(tunnel, terminal, {
    start,
    input: stdin,
    write: json
      ? async (stream, data) => void output[stream].push(data)
      : (stream, data) => terminal.write(stream, data),
  });
  if (json) {
    const [stdout, stderr] = [output.stdout, output.stderr].map((parts) =>
      Buffer.concat(parts).toString('utf8'),
    );
    context.out(JSON.stringify({ exitCode, stdout, stderr }));
  }
  context.setExitCode(exitCode);
}
