import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogBatch } from '#core/ports.ts';
import { openLogFile, readLogFile } from './log-file.ts';

let folder = '';
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-log-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function newFile(): string {
  files += 1;
  return join(folder, `${files}.log`);
}

function batch(n: number, ...texts: string[]): LogBatch {
  return { n, lines: texts.map((line) => ({ at: n, step: 'build web', line })) };
}

function textsOf(batches: readonly LogBatch[]): string[] {
  return batches.flatMap(({ lines }) => lines.map(({ line }) => line));
}

async function read(file: string, from = 0): Promise<string[]> {
  const texts: string[] = [];
  for await (const { lines } of readLogFile(file, from))
    texts.push(...lines.map(({ line }) => line));
  return texts;
}

describe('openLogFile', () => {
  it('has every line once, wherever writing was cut off', { timeout: 60_000 }, async () => {
    const lines = fc.array(fc.string({ maxLength: 40, unit: 'grapheme' }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(lines, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(400), { maxLength: 4 }),
        async (texts, cuts) => {
          const batches = texts.map((each, index) => batch(index + 1, ...each));
          const file = newFile();
          for (const cut of cuts) {
            const log = await openLogFile(file);
            await log.append(batches.slice(log.complete()));
            const { length } = await readFile(file);
            await truncate(file, Math.min(cut, length));
          }
          const log = await openLogFile(file);
          await log.append(batches.slice(log.complete()));
          expect(log.complete()).toBe(batches.length);
          expect(await read(file)).toEqual(textsOf(batches));
        },
      ),
      { numRuns: 80 },
    );
  });

  it('goes on where nothing more is held of the last batch', async () => {
    const file = newFile();
    await (await openLogFile(file)).append([batch(1, 'a', 'b')]);
    const again = await openLogFile(file);
    expect(again.complete()).toBe(0);
    await again.append([]);
    expect(again.complete()).toBe(1);
    await again.append([batch(2, 'c')]);
    expect(await read(file)).toEqual(['a', 'b', 'c']);
  });

  it('tells of batches that are not held any more', async () => {
    const file = newFile();
    const log = await openLogFile(file);
    await log.append([batch(1, 'a'), batch(4, 'd'), batch(5, 'e')]);
    const gap = 'lines are missing here: more came than is held while the server was away';
    expect(await read(file)).toEqual(['a', gap, 'd', 'e']);
    const again = await openLogFile(file);
    await again.append([batch(5, 'e', 'f')]);
    expect(await read(file)).toEqual(['a', gap, 'd', 'e', 'f']);
  });

  it('cuts away what a power cut left of a line', async () => {
    const file = newFile();
    await (await openLogFile(file)).append([batch(1, 'a')]);
    await appendFile(file, `{"n":2,"i":0,"at"\n${'\0'.repeat(100_000)}`);
    await (await openLogFile(file)).append([batch(1, 'a'), batch(2, 'b')]);
    expect(await read(file)).toEqual(['a', 'b']);
  });
});

describe('readLogFile', () => {
  it('reads whole lines only, from where the last reading ended, in chunks', async () => {
    const file = newFile();
    const long = 'x'.repeat(300_000);
    const log = await openLogFile(file);
    await log.append([batch(1, 'a', long, 'b')]);
    const chunks: number[] = [];
    for await (const { end } of readLogFile(file, 0)) chunks.push(end);
    expect(chunks.length).toBeGreaterThan(1);
    await log.append([batch(2, 'c')]);
    await appendFile(file, '{"half');
    expect(await read(file, chunks.at(-1))).toEqual(['c']);
    expect(await read(file)).toEqual(['a', long, 'b', 'c']);
  });

  it('has nothing where there is no file', async () => {
    expect(await read(newFile())).toEqual([]);
  });

  it('shows that a line is damaged', async () => {
    const file = newFile();
    await writeFile(file, 'rubbish\n{"n":1,"i":0,"at":1,"step":"s","line":"a"}\n');
    expect((await read(file))[0]).toContain('damaged');
  });
});
