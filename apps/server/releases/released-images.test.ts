import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openBare } from '#adapters/git/bare.ts';
import { releasedImages } from './released-images.ts';

function reference(image: string, digit: number): string {
  return `127.0.0.1:5380/hello/${image}@sha256:${String(digit).repeat(64)}`;
}

function release(entry: string, at: number, files: Record<string, string>): string {
  const written = Object.entries(files).map(
    ([name, text]) => `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`,
  );
  const head = `commit refs/heads/${entry}\ncommitter a <a@b> ${at} +0000\ndata 0\n\n`;
  return `${head}deleteall\n${written.join('')}\n`;
}

it('names the images of the newest releases of each entry', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-released-'));
  const repository = openBare(join(folder, 'hello.git'), { PATH: process.env['PATH'] });
  await repository.create();
  expect(await releasedImages(repository, 2)).toEqual([]);
  const redis = 'docker.io/library/redis@sha256:'.concat('f'.repeat(64));
  const input = [
    ...[1, 2, 3].map((each) =>
      release('local', each, {
        'web.yaml': `image: "${reference('web', each)}"`,
        'redis.yaml': `- image: ${redis}\n`,
      }),
    ),
    release('other', 9, { 'a.yaml': `{"image":"${reference('api', 4)}"}` }),
    release('empty', 9, {}),
  ].join('');
  await repository.git(['fast-import', '--quiet'], { input });
  expect((await releasedImages(repository, 2)).toSorted()).toEqual(
    [reference('web', 2), reference('web', 3), reference('api', 4), redis].toSorted(),
  );
  await rm(folder, { recursive: true });
});
