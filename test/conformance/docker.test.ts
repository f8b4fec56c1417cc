import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startDockerCluster } from './docker-cluster.ts';
import { runBehaviour } from './run-behaviour.ts';

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.concurrent('the docker engine', () => {
  const cluster = startDockerCluster();
  afterAll(() => cluster.remove());

  it.each(folders)('%s', async (name) => {
    const folder = join(import.meta.dirname, name);
    expect(await runBehaviour(folder, { name, cluster })).toEqual([]);
  });
});
