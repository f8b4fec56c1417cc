import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { DoorKind } from './door.ts';
import { createNetwork } from './network.ts';
import type { HarnessNetwork } from './network.ts';
import { createServer } from './server.ts';
import type { HarnessServer } from './server.ts';

/** What is left once all processes are gone, whether they were stopped or this one was killed. */
const CLEAN_UP = `
cat >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  find /sys/fs/cgroup -depth -type d -path "*/$2*" -exec rmdir {} + 2>/dev/null
  rm -rf "$1" 2>/dev/null && exit 0
  sleep 1
done
`;

/** Docker servers on this machine, each as alone as a machine of its own. */
export interface Harness {
  servers: readonly HarnessServer[];
  network: HarnessNetwork;
  stop(): Promise<void>;
}

/** They are not started yet. `doors` says of which of them Docker is reached by more than its socket. */
export async function createHarness(
  names: readonly string[],
  doors: Readonly<Record<string, DoorKind>> = {},
): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-harness-'));
  const cgroup = basename(folder);
  const cleaner = spawn('sh', ['-c', CLEAN_UP, 'sh', folder, cgroup], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  const network = await createNetwork();
  const servers = await Promise.all(
    names.map((name, index) => {
      const door = doors[name] ?? 'unix';
      return createServer({ name, index, door }, join(folder, name), network, `/${cgroup}`);
    }),
  );
  return {
    servers,
    network,
    async stop() {
      await Promise.all(servers.map((server) => server.kill()));
      await network.stop();
      const ended = once(cleaner, 'exit');
      cleaner.stdin.end();
      await ended;
    },
  };
}
