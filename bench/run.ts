import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { deadServer } from './dead-server.ts';
import { firstStart } from './first-start.ts';
import { killedContainer } from './killed-container.ts';
import {
  kubernetesFirst,
  kubernetesMemory,
  kubernetesOneChange,
  kubernetesUnchanged,
} from './kubernetes.ts';
import { memoryAtRest } from './memory-at-rest.ts';
import { proxiedRequests } from './proxied-requests.ts';
import { pushToServing } from './push-to-serving.ts';
import { reconcileUnchanged } from './reconcile-unchanged.ts';
import { remoteOperation } from './remote-operation.ts';
import { stackFirst, stackOneChange, stackUnchanged } from './stack-deploy.ts';
import { thousandPipelines } from './thousand-pipelines.ts';
import { webhooks } from './webhooks.ts';
import { readFigures, writeFigures } from './readme.ts';
import { withSetUp } from './with-set-up.ts';
import type { Figure } from './figure.ts';

/** Every benchmark, by the name it is run by. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Figure>>> = {
  'push-to-serving': pushToServing,
  webhooks,
  'reconcile-unchanged': reconcileUnchanged,
  'killed-container': killedContainer,
  'first-start': firstStart,
  'proxied-requests': proxiedRequests,
  'memory-at-rest': memoryAtRest,
  'remote-operation': remoteOperation,
  'thousand-pipelines': thousandPipelines,
  'stack-first': stackFirst,
  'stack-unchanged': stackUnchanged,
  'stack-one-change': stackOneChange,
  'dead-server': deadServer,
  'kubernetes-first': kubernetesFirst,
  'kubernetes-unchanged': kubernetesUnchanged,
  'kubernetes-one-change': kubernetesOneChange,
  'kubernetes-memory': kubernetesMemory,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
/** What is asked of no machine: a cluster of Kubernetes, which somebody else may use. */
const NEEDS_CLUSTER = Object.keys(BENCHMARKS).filter((name) => name.startsWith('kubernetes-'));
const hasCluster = process.env['KUBECONFIG'] !== undefined;
if (!hasCluster)
  tellOf(
    positionals.length === 0
      ? NEEDS_CLUSTER
      : positionals.filter((name) => NEEDS_CLUSTER.includes(name)),
  );
const asked = positionals.length === 0 ? Object.keys(BENCHMARKS) : positionals;
const names = asked.filter((name) => hasCluster || !NEEDS_CLUSTER.includes(name));
const benchmarks = names.map(benchmarkOf);
const figures = await withSetUp(() => measureAll(benchmarks));
process.stdout.write(values.json ? `${JSON.stringify(figures, undefined, 2)}\n` : table(figures));

function benchmarkOf(name: string): () => Promise<Figure> {
  const benchmark = BENCHMARKS[name];
  if (benchmark !== undefined) return benchmark;
  process.stderr.write(
    `there is no benchmark ${name}; there are: ${Object.keys(BENCHMARKS).join(', ')}\n`,
  );
  process.exit(1);
}

async function measureAll(benchmarks: readonly (() => Promise<Figure>)[]): Promise<Figure[]> {
  const all: Figure[] = [];
  for (const measure of benchmarks) {
    const [minute = 0] = loadavg();
    const load = Number((minute / availableParallelism()).toFixed(1));
    const measured = { ...(await measure()), load };
    all.push(measured);
    await keep(measured);
  }
  return all;
}

function tellOf(left: readonly string[]): void {
  if (left.length === 0) return;
  process.stderr.write(
    `${left.join(', ')} need a cluster of Kubernetes and kubectl: KUBECONFIG=<file> npm run bench ${left[0]}\n`,
  );
  if (positionals.length > 0) process.exit(1);
}

/** In the place of what was measured of the same before; the others stay. */
async function keep(measured: Figure): Promise<void> {
  const known = [measured, ...(await readFigures())];
  const all = Object.keys(BENCHMARKS).flatMap(
    (name) => known.find((each) => each.name === name) ?? [],
  );
  await writeFigures(all, page(all));
}

function table(rows: readonly Figure[]): string {
  const head =
    '| benchmark | ours | peer | ratio | target | met | load |\n|---|---|---|---|---|---|---|\n';
  const lines = rows.map(
    ({ name, ours, peer, ratio, target, met, load }) =>
      `| ${name} | ${ours} | ${peer} | ${ratio.toFixed(2)} | ${figureOf(target)} | ${met ? 'yes' : 'no'} | ${load ?? ''} |\n`,
  );
  return head + lines.join('');
}

function figureOf(target: number): number {
  return Number(target.toFixed(2));
}

function page(rows: readonly Figure[]): string {
  const told = rows.map(({ name, how }) => `- \`${name}\`: ${how}`).join('\n');
  return `# Benchmarks

Each beside a named peer or the bare commands, in the same run on the same machine; times in milliseconds, medians.
Written by \`npm run bench\`, which repeats them all; \`npm run bench <name>\` repeats one and leaves the others as they are,
\`--json\` prints data. It sets up what is missing, as \`npm test\` does; \`kubernetes-…\` needs kubectl and a cluster that KUBECONFIG
names. The load is what waited for each core before (a minute's average): above 1 others took their part of the machine,
and of the figures only the ratio tells something.

${table(rows)}
${told}
${rows.map(partsTable).join('')}${rows.map(besideTable).join('')}`;
}

function partsTable({ name, parts }: Figure): string {
  if (parts === undefined) return '';
  const lines = parts.map((part) => `| ${part.name} | ${part.ours ?? ''} | ${part.peer ?? ''} |\n`);
  return `
## Where the time of ${name} goes

Medians of each part, from the end of the one before.

| part | ours | peer |
|---|---|---|
${lines.join('')}`;
}

function besideTable({ name, beside }: Figure): string {
  if (beside === undefined) return '';
  const { head, rows } = beside;
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`);
  return `
## All of ${name}

${lines.join('')}`;
}
