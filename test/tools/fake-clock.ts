import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extractPackages } from '#adapters/debian/extract-packages.ts';

/** A clock that processes see in place of the machine's, as libfaketime shows it to them; not Redis, whose jemalloc it breaks. */
export interface FakeClock {
  /** What processes that see it find in their environment. */
  environment: Readonly<Record<string, string>>;
  /** Within a second they see it so many seconds before the machine's; those that count from a start are let be. */
  setBack(seconds: number): Promise<void>;
}

export async function createFakeClock(file: string): Promise<FakeClock> {
  const root = join(tmpdir(), 'windlass-test-tools', 'libfaketime');
  await extractPackages(['libfaketime'], root, AbortSignal.timeout(60_000));
  const library = (await readdir(root, { recursive: true })).find((path) =>
    path.endsWith('/libfaketime.so.1'),
  );
  if (library === undefined) throw new Error(`no libfaketime.so.1 below ${root}`);

  async function setBack(seconds: number): Promise<void> {
    await writeFile(file, `-${seconds}\n`);
  }
  await setBack(0);
  return {
    environment: {
      LD_PRELOAD: join(root, library),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    setBack,
  };
}
