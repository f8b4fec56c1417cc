import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Declarations } from '#core/declarations/declarations.ts';
import { createRepository } from '../../test/support/repository.ts';
import type { Repository } from '../../test/support/repository.ts';
import { BUILT_IN_CONFIG, openConfigSource } from './config-source.ts';
import type { ConfigSource } from './config-source.ts';

const NEVER = new AbortController().signal;
const FILE = 'pipelines/all.yaml';

let folder = '';
let remote: Repository;
let source: ConfigSource;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-config-'));
  remote = await createRepository();
  await remote.commit({ [FILE]: pipeline('one') });
  source = await open();
});
afterAll(async () => {
  await remote.remove();
  await rm(folder, { recursive: true });
});

function pipeline(name: string): string {
  return `apiVersion: windlass.dev/v1\nkind: Pipeline\nmetadata: { name: ${name} }\nspec: { images: [{ name: web }] }\n`;
}

function open(last?: Declarations, config = `file://${remote.folder}`): Promise<ConfigSource> {
  return openConfigSource(
    {
      config,
      gitRoot: folder,
      machine: process.env,
      last,
      now: Date.now,
      log: pino({ level: 'silent' }),
    },
    NEVER,
  );
}

it('takes the configuration from a git URL, and each valid commit after it', async () => {
  expect(source.view()).toMatchObject({ pipelines: ['one'], problems: [] });
  expect(source.view().commit).toMatch(/^[0-9a-f]{40}$/);
  expect(await source.refresh(NEVER)).toBe(false);
  await remote.commit({ [FILE]: pipeline('two') });
  expect(await source.refresh(NEVER)).toBe(true);
  expect(source.view().pipelines).toEqual(['two']);
});

it('keeps the last valid commit in force, and tells what is wrong with the newest', async () => {
  await remote.commit({ [FILE]: pipeline('three').replace('images', 'image') });
  expect(await source.refresh(NEVER)).toBe(false);
  const { pipelines, problems } = source.view();
  expect(pipelines).toEqual(['two']);
  expect(problems.join('\n')).toContain(`${FILE}:4`);
  await remote.commit({ [FILE]: pipeline('three') });
  expect(await source.refresh(NEVER)).toBe(true);
  expect(source.view()).toMatchObject({ pipelines: ['three'], problems: [] });
});

it('goes on with what it has while the remote is away, also after a start', async () => {
  await rename(remote.folder, `${remote.folder}-away`);
  try {
    expect(await source.refresh(NEVER)).toBe(false);
    expect(source.view().pipelines).toEqual(['three']);
    expect(source.view().problems.join('\n')).toContain('no git repository');
    const started = await open(source.declarations());
    expect(started.view().pipelines).toEqual(['three']);
  } finally {
    await rename(`${remote.folder}-away`, remote.folder);
  }
  expect(await source.refresh(NEVER)).toBe(false);
  expect(source.view().problems).toEqual([]);
});

it('takes what a repository of this server declares that was never pushed to: nothing', async () => {
  const started = await open(source.declarations(), BUILT_IN_CONFIG);
  expect(started.view()).toMatchObject({ pipelines: [], problems: [] });
  expect(started.isKnown()).toBe(true);
});

describe.each([
  { name: 'the repository of this server', config: () => BUILT_IN_CONFIG },
  { name: 'a git URL', config: () => `file://${remote.folder}` },
])('a start while what $name declares is not valid', ({ config }) => {
  async function commit(text: string): Promise<void> {
    await remote.commit({ [FILE]: text });
    const copy = join(folder, 'config.git');
    await rm(copy, { recursive: true, force: true });
    await remote.git('clone', '--quiet', '--bare', remote.folder, copy);
  }

  it('leaves in force what was last, and tells what is wrong', async () => {
    await commit(pipeline('four').replace('images', 'image'));
    const started = await open(source.declarations(), config());
    expect(started.view().pipelines).toEqual(['three']);
    expect(started.view().problems.join('\n')).toContain(`${FILE}:4`);
    expect(started.isKnown()).toBe(true);
    await commit(pipeline('four'));
    expect(await started.refresh(NEVER)).toBe(true);
    expect(started.view()).toMatchObject({ pipelines: ['four'], problems: [] });
  });

  it('knows of nothing where that is not known either, until it is corrected', async () => {
    await commit(pipeline('four').replace('images', 'image'));
    const started = await open(undefined, config());
    expect(started.view().problems.join('\n')).toContain(`${FILE}:4`);
    expect(started.declarations()).toEqual({ pipelines: {}, clusters: {} });
    expect(started.isKnown()).toBe(false);
    await commit('');
    expect(await started.refresh(NEVER)).toBe(true);
    expect(started.isKnown()).toBe(true);
  });
});
