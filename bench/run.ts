import { parseArgs } from 'node:util';
import { killedContainer } from './killed-container.ts';
import { memoryAtRest } from './memory-at-rest.ts';
import { pushToServing } from './push-to-serving.ts';
import { reconcileUnchanged } from './reconcile-unchanged.ts';
import { thousandPipelines } from './thousand-pipelines.ts';
import { webhooks } from './webhooks.ts';
import { writeFigures } from './readme.ts';
import type { Figure } from './figure.ts';

/** Every benchmark, by the name it is run by. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Figure>>> = {
  'push-to-serving': pushToServing,
  webhooks,
  'reconcile-unchanged': reconcileUnchanged,
  'killed-container': killedContainer,
  'memory-at-rest': memoryAtRest,
  'thousand-pipelines': thousandPipelines,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const names = positionals.length === 0 ? Object.keys(BENCHMARKS) : positionals;
const figures: Figure[] = [];
for (const name of names) {
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined) {
    process.stderr.write(
      `there is no benchmark ${name}; there are: ${Object.keys(BENCHMARKS).join(', ')}\n`,
    );
    process.exit(1);
  }
  figures.push(await benchmark());
}
process.stdout.write(values.json ? `${JSON.stringify(figures, undefined, 2)}\n` : table(figures));
if (positionals.length === 0) await writeFigures(page(figures));

function table(rows: readonly Figure[]): string {
  const head = '| benchmark | ours | peer | ratio | target | met |\n|---|---|---|---|---|---|\n';
  const lines = rows.map(
    ({ name, ours, peer, ratio, target, met }) =>
      `| ${name} | ${ours} | ${peer} | ${ratio.toFixed(2)} | ${target} | ${met ? 'yes' : 'no'} |\n`,
  );
  return head + lines.join('');
}

function page(rows: readonly Figure[]): string {
  const told = rows.map(({ name, how }) => `- \`${name}\`: ${how}`).join('\n');
  return `# Benchmarks

Each beside a named peer or the bare commands, in the same run on the same machine; times in milliseconds, medians.
Written by \`npm run bench\`, which repeats them all; \`npm run bench <name>\` runs one, \`--json\` prints data. It needs
what \`npm test\` sets up.

${table(rows)}
${told}
${rows.map(partsTable).join('')}`;
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
