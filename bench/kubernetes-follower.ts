import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import { parseKubeconfig } from '#adapters/kubernetes/kubeconfig.ts';
import { countedEngine } from './kubernetes-cluster.ts';
import { desiredOf, kubernetesObjects } from './kubernetes-objects.ts';

const PASSES = 20;

/** Follows what is there with an engine, with nothing to do, and says so once it has for a while. */
const [file = '', installation = '', namespace = '', count = ''] = process.argv.slice(2);
const access = parseKubeconfig(await readFile(file, 'utf8'), dirname(file), undefined);
const counted = countedEngine(createKubeClient(access, process.env), installation);
const objects = desiredOf(kubernetesObjects(namespace, Number(count), 0));
for (let pass = 0; pass < PASSES; pass += 1) await counted.settle(objects);
process.stdout.write('it follows them\n');
setInterval(() => undefined, 60_000);
