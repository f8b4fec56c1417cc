import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectCluster } from '../../workers/deploy/engines/kubernetes/testing/connect-cluster.ts';
import { readyNode } from '../../workers/deploy/engines/kubernetes/testing/ready-node.ts';
import type { ConformanceCluster } from './cluster.ts';
import { startKubernetesCluster } from './kubernetes-cluster.ts';
import { MACHINE_HAS } from './machine.ts';
import { NOT_ON_KUBERNETES } from './not-on-kubernetes.ts';
import { readExpectations, runBehaviour } from './run-behaviour.ts';

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const client = await connectCluster();
const node = await readyNode(client);
client.close();

describe.concurrent('the kubernetes engine', () => {
  let cluster: ConformanceCluster & { remove(): Promise<void> };
  beforeAll(async () => {
    if (node !== undefined) cluster = await startKubernetesCluster(node);
  });
  afterAll(() => cluster?.remove());

  it.for(folders)('%s', async (name, { skip, expect: expected }) => {
    const why = NOT_ON_KUBERNETES[name];
    skip(why !== undefined, why);
    skip(node === undefined, 'the cluster has no node that is ready');
    const folder = join(import.meta.dirname, name);
    const manifests = await readFile(join(folder, 'manifests.yaml'), 'utf8');
    const isElsewhere = node?.isHere === false && manifests.includes('registry.example.com');
    skip(isElsewhere, 'the node is not this machine, where the registry is');
    const { needs } = await readExpectations(folder);
    const lacked = needs.find((need) => !MACHINE_HAS[need]());
    skip(lacked !== undefined, `this machine lacks ${lacked}`);
    try {
      expected(await runBehaviour(folder, { name, cluster })).toEqual([]);
    } finally {
      cluster.apply(name, []);
    }
  });
});

it('says of existing folders only that they are not tried', () => {
  const gone = Object.keys(NOT_ON_KUBERNETES).filter((name) => !folders.includes(name));
  expect(gone).toEqual([]);
});
