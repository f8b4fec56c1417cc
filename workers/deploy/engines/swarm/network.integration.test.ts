import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { ensureNetwork, findNetwork, removeNetwork } from './network.ts';
import type { SwarmContext } from './context.ts';
import { never, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

const TIMES = 5;
let swarm: OwnSwarm;
let context: SwarmContext;

beforeAll(async () => {
  swarm = await startOwnSwarm();
  context = {
    docker: swarm.docker,
    cluster: 'c',
    installation: 'network',
    images: SYSTEM_IMAGES,
    log: pino({ level: 'silent' }),
  };
}, 120_000);
afterAll(() => swarm.stop());

/** Swarm forgets it first; the server's own Docker knows it while what was on it is taken off. */
it('removes the network again and again until it is gone everywhere', async () => {
  for (let time = 0; time < TIMES; time += 1) {
    const { name } = await ensureNetwork(context, { subnet: undefined, encrypted: false }, never);
    const container = await swarm.docker.createContainer({
      Image: SYSTEM_IMAGES.sandbox,
      Cmd: ['sleep', '600'],
      HostConfig: { NetworkMode: name },
    });
    await container.start();
    await container.remove({ force: true });
    await removeNetwork(context, never);
    while ((await findNetwork(context, never)) !== undefined)
      await expect(removeNetwork(context, never)).resolves.toBeUndefined();
  }
}, 300_000);
