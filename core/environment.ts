import { UserError } from '#core/errors.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type Program = 'CLI' | 'start' | 'server' | 'build worker' | 'deploy worker';

export interface Variable {
  name: string;
  programs: Program[];
  /** In Markdown; absent where there is none. */
  fallback?: string;
  description: string;
}

/** Every variable that a `main.ts` reads, descriptions in Markdown; a test holds this list against them. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'WINDLASS_URL',
    programs: ['CLI'],
    description: 'Address of the server; together with `WINDLASS_TOKEN` it comes before any login',
  },
  { name: 'WINDLASS_TOKEN', programs: ['CLI'], description: 'Token for it' },
  {
    name: 'XDG_CONFIG_HOME',
    programs: ['CLI'],
    fallback: '`~/.config`',
    description: 'Folder in which the login is kept, as `windlass/config.json`',
  },
  { name: 'NO_COLOR', programs: ['CLI'], description: 'Set to anything: no colours' },
  { name: 'TERM', programs: ['CLI'], description: '`dumb`: no colours' },
  {
    name: 'WINDLASS_STATE',
    programs: ['CLI', 'start', 'server', 'build worker', 'deploy worker'],
    fallback: '`.windlass`',
    description: 'The state folder; of `start` also `--state`',
  },
  {
    name: 'WINDLASS_LISTEN',
    programs: ['start', 'server'],
    fallback: '`127.0.0.1:4380`',
    description:
      'Address and port; others than loopback only with TLS or `WINDLASS_BEHIND_PROXY`. Of `start` also `--listen`',
  },
  {
    name: 'WINDLASS_TLS_CERT',
    programs: ['server'],
    description: 'File with the certificate chain, PEM',
  },
  { name: 'WINDLASS_TLS_KEY', programs: ['server'], description: 'File with its key, PEM' },
  {
    name: 'WINDLASS_BEHIND_PROXY',
    programs: ['server'],
    fallback: '`0`',
    description: '`1`: a proxy in front does TLS, listen beyond loopback without it',
  },
  {
    name: 'WINDLASS_CONFIG',
    programs: ['start', 'server'],
    fallback: '`/git/config.git`; of `start` the current folder',
    description:
      'Where pipelines and clusters are declared: a folder, `/git/config.git`, or a git URL. Of `start` also `--config`',
  },
  {
    name: 'WINDLASS_MAX_PACK_BYTES',
    programs: ['server'],
    description: 'Largest push that is taken',
  },
  {
    name: 'REDIS_URL',
    programs: ['start', 'server', 'build worker', 'deploy worker'],
    fallback: '`redis://127.0.0.1:6379`; `start` runs its own; workers need it',
    description: 'The Redis with queues and runs',
  },
  {
    name: 'WINDLASS_REGISTRY',
    programs: ['start', 'build worker'],
    fallback: '`start` runs its own; the worker needs it',
    description: 'Where images go that name no `repository`, e.g. `registry.example.com/team`',
  },
  {
    name: 'WINDLASS_SERVER_URL',
    programs: ['build worker', 'deploy worker'],
    fallback: '`http://127.0.0.1:4380`',
    description: 'Where the worker finds the server',
  },
  {
    name: 'WINDLASS_WORKER_TOKEN',
    programs: ['build worker', 'deploy worker'],
    fallback: 'that of the state folder',
    description: 'Token of the workers, as in `tokens.json`',
  },
  {
    name: 'WINDLASS_WORKER_NAME',
    programs: ['deploy worker'],
    fallback: 'host name and process id',
    description: 'What `windlass status` calls the worker',
  },
  {
    name: 'WINDLASS_BUILDS',
    programs: ['build worker'],
    fallback: '`2`',
    description: 'How many builds go on at once',
  },
  {
    name: 'WINDLASS_SANDBOX_IMAGE',
    programs: ['deploy worker'],
    fallback: '`busybox:1.36`',
    description: 'Holds a pod’s network; any image with the same program',
  },
  {
    name: 'WINDLASS_PROXY_IMAGE',
    programs: ['deploy worker'],
    fallback: '`haproxy:2.6`',
    description: 'Serves Services and NodePorts',
  },
  {
    name: 'WINDLASS_NAME_SERVER_IMAGE',
    programs: ['deploy worker'],
    fallback: '`dockurr/dnsmasq:2.90`',
    description: 'Answers names within the cluster',
  },
  {
    name: 'WINDLASS_UDP_PROXY_IMAGE',
    programs: ['deploy worker'],
    fallback: '`nginx:1.22`',
    description: 'Serves the UDP ports of Services and NodePorts; runs only where there are any',
  },
  {
    name: 'WINDLASS_RECORD_SERVER_IMAGE',
    programs: ['deploy worker'],
    fallback: '`mvance/unbound:1.17.1`',
    description: 'Answers names that are aliases or SRV records; runs only where there are any',
  },
  {
    name: 'WINDLASS_PROBE_IMAGE',
    programs: ['deploy worker'],
    fallback: '`busybox:1.36-musl`',
    description:
      'On a fleet, a BusyBox that needs no libraries: it makes liveness probes within tasks; used only where there are any',
  },
  {
    name: 'DOCKER_HOST',
    programs: ['build worker'],
    fallback: '`unix:///var/run/docker.sock`',
    description: 'The Docker Engine that builds',
  },
  {
    name: 'DOCKER_CONFIG',
    programs: ['start', 'build worker', 'deploy worker'],
    fallback: '`~/.docker`',
    description: 'Folder of the `config.json` with credentials for registries',
  },
  {
    name: 'SSH_AUTH_SOCK',
    programs: ['start', 'deploy worker'],
    description:
      'Socket of the ssh agent, for servers that are reached over ssh and name no key of their own',
  },
  {
    name: 'LOG_LEVEL',
    programs: ['start', 'server', 'build worker', 'deploy worker'],
    fallback: '`info`',
    description:
      'The least level that is logged: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
  },
  {
    name: 'PATH',
    programs: ['start'],
    description: 'Where git, redis-server, docker-registry and dockerd are looked for',
  },
];

/**
 * What a role says of itself where it is asked to; absent where it is to start. A role is told everything by its
 * environment: an argument is an error.
 */
export function roleHelp(program: Program, args: readonly string[]): string | undefined {
  const role = program.split(' ').toReversed().join(' ');
  if (args.includes('--help') || args.includes('-h')) return helpText(program, `windlass ${role}`);
  if (args.length === 0) return undefined;
  throw new UserError('invalid-input', `\`${args.join(' ')}\` is not an argument of it`, {
    hint: `all settings are variables of the environment: windlass ${role} --help`,
  });
}

function helpText(program: Program, command: string): string {
  const own = VARIABLES.filter(({ programs }) => programs.includes(program));
  const width = Math.max(...own.map(({ name }) => name.length));
  const lines = own.map(({ name, fallback, description }) => {
    const unset = fallback === undefined ? '' : ` [${fallback}]`;
    return `  ${name.padEnd(width)}  ${description}${unset}`.replaceAll('`', '');
  });
  return [`Usage: ${command}`, '', 'Variables of the environment [when unset]:', ...lines, ''].join(
    '\n',
  );
}
