import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LACKS, lookAtKernel } from './kernels.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-kernel-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each([
  { name: 'takes a kernel with ESP for one that encrypts', config: 'CONFIG_INET_ESP=y', code: 0 },
  { name: 'takes ESP as a module for as good', config: 'CONFIG_INET_ESP=m', code: 0 },
  {
    name: 'tells one that was built without it',
    config: 'CONFIG_XFRM=y\n# CONFIG_INET_ESP is not set',
    code: LACKS,
  },
  { name: 'knows nothing of one that does not tell', config: undefined, code: 0 },
])('$name', async ({ config, code }) => {
  const file = join(folder, 'config.gz');
  await rm(file, { force: true });
  if (config !== undefined) await writeFile(file, gzipSync(`CONFIG_NET=y\n${config}\n`));
  await expect(codeOf(lookAtKernel(file))).resolves.toBe(code);
});

async function codeOf(script: string): Promise<number> {
  try {
    await run('sh', ['-c', script]);
    return 0;
  } catch (error) {
    return (error as { code: number }).code;
  }
}
