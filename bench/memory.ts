import { readdir, readFile } from 'node:fs/promises';

/** Megabytes of memory that the processes hold: their own and their share of what is shared (PSS), as proc(5) has it. */
export async function memoryOf(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => rollupOf(pid, ['Pss'])));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Megabytes with all that is shared counted to each: no less than they would hold alone on a machine. */
export async function residentMemoryOf(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => rollupOf(pid, ['Rss'])));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Megabytes that the process alone holds: what others of its kind do leaves them as they are. */
export function privateMemoryOf(pid: number): Promise<number> {
  return rollupOf(pid, ['Private_Clean', 'Private_Dirty']);
}

async function rollupOf(pid: number, names: readonly string[]): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const sizes = names.map((name) =>
    Number(new RegExp(String.raw`^${name}:\s+(\d+) kB$`, 'm').exec(text)?.[1]),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / 1_024;
}

/** Processes whose command line has that text. */
export async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_pid, index) => lines[index]?.includes(text));
}

export async function childrenOf(parent: number): Promise<number[]> {
  const text = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}
