import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { startOf } from './identity.ts';

const PidRecord = z.object({
  pid: z.int().positive(),
  started: z.string(),
  /** What it was started with: a process with another configuration is not taken over. */
  configuration: z.string(),
});
export type PidRecord = z.infer<typeof PidRecord>;

/** What the file says of a process that still lives; absent where it is gone, or another has its pid now. */
export async function readPidFile(file: string): Promise<PidRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  const record = parse(text);
  if (record === undefined || (await startOf(record.pid)) !== record.started) return undefined;
  return record;
}

export async function writePidFile(
  file: string,
  pid: number,
  configuration: string,
): Promise<void> {
  const record: PidRecord = { pid, started: (await startOf(pid)) ?? '', configuration };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.part`, JSON.stringify(record));
  await rename(`${file}.part`, file);
}

export async function removePidFile(file: string): Promise<void> {
  await rm(file, { force: true });
}

function parse(text: string): PidRecord | undefined {
  try {
    return PidRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
