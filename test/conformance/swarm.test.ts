import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifests } from '#core/resources/parse.ts';
import { acceptForSwarm } from '#core/swarm/accept.ts';
import type { ConformanceCluster } from './cluster.ts';
import { runBehaviour } from './run-behaviour.ts';
import { startSwarmCluster } from './swarm-cluster.ts';

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** Behaviours that the swarm engine takes and does not have, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'config-file-changes': 'files of Swarm never change: the tasks that mount them are made anew',
  'crash-backoff': 'Swarm starts a failed task again after 2 s each time, and another one at that',
  'image-pull-secrets':
    'a server that has the image runs it, whether the registry lets it in or not',
  'out-of-memory': 'Swarm tells the exit code only',
};

/** Of all of a folder's manifests. */
async function refusals(folder: string): Promise<string[]> {
  const files = readdirSync(join(import.meta.dirname, folder)).filter(
    (file) => file.endsWith('.yaml') && file !== 'expect.yaml',
  );
  const problems = await Promise.all(
    files.map(async (path) => {
      const text = await readFile(join(import.meta.dirname, folder, path), 'utf8');
      return acceptForSwarm(parseManifests([{ path, text }])).map(({ message }) => message);
    }),
  );
  return problems.flat();
}

const refused = new Map(
  await Promise.all(folders.map(async (name) => [name, await refusals(name)] as const)),
);
const taken = folders.filter(
  (name) => refused.get(name)?.length === 0 && DIFFERENT[name] === undefined,
);

describe.concurrent('the swarm engine', () => {
  let cluster: ConformanceCluster & { remove(): Promise<void> };
  beforeAll(async () => {
    cluster = await startSwarmCluster();
  });
  afterAll(() => cluster.remove());

  it.for(taken)('%s', async (name, { expect: expected }) => {
    try {
      expected(await runBehaviour(join(import.meta.dirname, name), { name, cluster })).toEqual([]);
    } finally {
      cluster.apply(name, []);
    }
  });
});

it('is not said to differ where it refuses', () => {
  const both = Object.keys(DIFFERENT).filter((name) => refused.get(name)?.length !== 0);
  expect(both).toEqual([]);
});
