import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { once } from 'node:events';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { forwardPort } from '../forward-port.ts';
import { parseWorkload } from '../workload.ts';

interface Ports {
  local: number;
  remote: number;
}

interface PortForwardOptions extends JsonOption {
  address: string;
  namespace: string;
  cluster?: string;
}

const INTERRUPTED_EXIT_CODE = 130;

export function portForwardCommand(context: CliContext): Command {
  return describeCommand(
    'port-forward',
    'make ports of a pod or Service reachable here, until interrupted',
    [
      'windlass port-forward deployment/web 8080:80',
      'windlass port-forward service/db -n shop :5432   # any free port here',
    ],
  )
    .argument(
      '<kind/name>',
      'a workload, of which one pod is taken, a pod, or a Service',
      parseWorkload,
    )
    .argument(
      '<ports...>',
      'here:there; one number is both, nothing before the colon any free one',
      collectPorts,
    )
    .option('--address <address>', 'where to listen', '127.0.0.1')
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', "the workload's cluster; may be left out where there is one")
    .action(async (workload: string, ports: Ports[], options: PortForwardOptions) =>
      portForward(context, workload, ports, options),
    );
}

async function portForward(
  context: CliContext,
  workload: string,
  ports: readonly Ports[],
  { address, namespace, cluster: named, json = false }: PortForwardOptions,
): Promise<void> {
  const client = await connect(context);
  const cluster = await findCluster(client, named);
  for (const { local, remote } of ports) {
    const query = { workload, namespace, port: String(remote) };
    const path = apiPath(['clusters', cluster, 'connect'], query);
    const at = await forwardPort(
      {
        address,
        localPort: local,
        open: (signal) => client.tunnel(path, signal),
        onProblem: (message) => context.note(`port ${remote}: ${message}`),
      },
      context.signal,
    );
    const told = { address: at.address, port: at.port, workload, namespace, remotePort: remote };
    context.out(
      json ? JSON.stringify(told) : `${at.address}:${at.port} -> ${workload} port ${remote}`,
    );
  }
  if (!context.signal.aborted) await once(context.signal, 'abort');
  context.setExitCode(INTERRUPTED_EXIT_CODE);
}

function collectPorts(text: string, before: readonly Ports[] = []): Ports[] {
  return [...before, parsePorts(text)];
}

function parsePorts(text: string): Ports {
  const [, local, remote = ''] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const ports = {
    local: local === undefined ? Number(remote) : Number(local),
    remote: Number(remote),
  };
  if (remote === '' || ports.remote < 1 || ports.remote > 65_535 || ports.local > 65_535)
    throw new InvalidArgumentError(`${text} is no pair of ports, such as 8080:80.`);
  return ports;
}
