import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { messageOf } from '#core/errors.ts';
import { setUp } from '../set-up.ts';
import { createHarness } from './servers.ts';
import type { HarnessServer } from './server.ts';
import type { Harness } from './servers.ts';

const MOST_SERVERS = 20;
const HELP = `npm run harness -- [--servers 3] [--image <name>]... [--ssh s2]... [--tls s3]...

Starts Docker servers on this machine, each in namespaces of its own, and keeps them until Ctrl+C.
--image has them take an image over from the machine's own Docker; --ssh and --tls name servers of which Docker is reached
by that too, from the servers' network. Then it takes lines such as \`kill s2\`:
  kill, start     as a power cut, and after it
  unplug, plug    its network; Docker still answers here
  wipe            the disk of one that was killed
`;
const ACTIONS: Readonly<Record<string, (server: HarnessServer) => Promise<void>>> = {
  kill: (server) => server.kill(),
  start: (server) => server.start(),
  unplug: (server) => server.unplug(),
  plug: (server) => server.plugIn(),
  wipe: (server) => server.wipe(),
};

/** Servers to try things on by hand. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      servers: { type: 'string', default: '3' },
      image: { type: 'string', multiple: true, default: [] },
      ssh: { type: 'string', multiple: true, default: [] },
      tls: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(HELP);
  const count = Number(values.servers);
  if (!Number.isInteger(count) || count < 1 || count > MOST_SERVERS)
    throw new Error(`--servers must be 1 to ${MOST_SERVERS}`);
  const ended = endSignal();
  const names = Array.from({ length: count }, (_, n) => `s${n + 1}`);
  const doors = [
    ...values.ssh.map((name) => [name, 'ssh'] as const),
    ...values.tls.map((name) => [name, 'tls'] as const),
  ];
  const unknown = doors.find(([name]) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no server ${unknown[0]}`);
  const stop = new AbortController();
  void ended.then(() => stop.abort());
  const endSetUp = await setUp((line) => say(`${line}\n`), stop.signal);
  try {
    const harness = await createHarness(names, Object.fromEntries(doors));
    try {
      await Promise.race([start(harness, values.image), ended]);
      const lines = createInterface({ input: process.stdin });
      lines.on('line', (line) => void act(harness, line));
      await ended;
      lines.close();
    } finally {
      await harness.stop();
    }
  } finally {
    await endSetUp();
  }
}

async function start({ servers, network }: Harness, images: readonly string[]): Promise<void> {
  await Promise.all(servers.map((server) => server.start()));
  if (images.length > 0) await Promise.all(servers.map((server) => server.load(images)));
  for (const { name, address, docker } of servers) say(`${name} ${address}: docker -H ${docker}\n`);
  say(
    `On their network runs what comes after ${network.within.join(' ')}; by it they are declared as\n`,
  );
  for (const { name, address, reach } of servers)
    say(`  - ${JSON.stringify({ name, advertise: address, ...reach })}\n`);
  say('Ctrl+C ends them all\n');
}

async function act({ servers }: Harness, line: string): Promise<void> {
  const [action = '', name = ''] = line.trim().split(/\s+/);
  const server = servers.find((one) => one.name === name);
  const work = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (server === undefined || work === undefined) return say(HELP);
  try {
    await work(server);
    say(`${line.trim()}: done\n`);
  } catch (error) {
    say(`${line.trim()}: ${messageOf(error)}\n`);
  }
}

function endSignal(): Promise<unknown> {
  return new Promise((done) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, done);
  });
}

function say(text: string): void {
  process.stdout.write(text);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`harness: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
