import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { startDockerCluster } from './docker-cluster.ts';
import { reachDocker } from './reach-docker.ts';
import { MACHINE_HAS } from './machine.ts';
import { readExpectations, runBehaviour } from './run-behaviour.ts';

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const { CONFORMANCE_OVER: over = 'unix:///var/run/docker.sock', CONFORMANCE_CERTIFICATES = '' } =
  process.env;
const reached = await reachDocker(over, CONFORMANCE_CERTIFICATES);

describe.concurrent('the docker engine', () => {
  const cluster = startDockerCluster(reached);
  afterAll(() => cluster.remove());

  it.for(folders)('%s', async (name, { skip, expect }) => {
    const folder = join(import.meta.dirname, name);
    const { needs } = await readExpectations(folder);
    const lacked = needs.find((need) => !MACHINE_HAS[need]());
    skip(lacked !== undefined, `this machine lacks ${lacked}`);
    try {
      expect(await runBehaviour(folder, { name, cluster })).toEqual([]);
    } finally {
      // What goes on running slows the others down: probes, above all.
      cluster.apply(name, []);
    }
  });
});
