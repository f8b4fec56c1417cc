import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';

const Holder = z.looseObject({
  pid: z.int().positive(),
  /** When the process began, in the kernel's ticks: a later process of the same id is another. */
  began: z.string().exactOptional(),
  url: z.string().exactOptional(),
});
type Holder = z.infer<typeof Holder>;

export interface StateLock {
  /** Tells others where the holder answers. */
  tell(url: string): Promise<void>;
  release(): Promise<void>;
}

/** Takes the state folder for this process; refuses while another one that lives has it. */
export async function lockState(file: string): Promise<StateLock> {
  const holder: Holder = { pid: process.pid, ...(await beganOf(process.pid)) };
  await take(file, holder, 3);
  async function write(changed: Holder): Promise<void> {
    const part = `${file}.part`;
    await writeFile(part, text(changed), { mode: 0o600 });
    await rename(part, file);
  }
  return {
    tell: (url) => write({ ...holder, url }),
    release: () => rm(file, { force: true }),
  };
}

async function take(file: string, holder: Holder, tries: number): Promise<void> {
  try {
    await writeFile(file, text(holder), { flag: 'wx', mode: 0o600 });
    return;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const found = await readFile(file, 'utf8').catch(() => undefined);
  const other = found === undefined ? undefined : parseHolder(found);
  if (other !== undefined && (await lives(other))) throw taken(file, other);
  if (tries === 0) throw new UserError('conflict', `${file} cannot be taken`);
  if (found !== undefined) await clearAway(file, found);
  await take(file, holder, tries - 1);
}

/** Of two that find the lock stale, the slower one may get the other's new lock away: it puts that back. */
async function clearAway(file: string, stale: string): Promise<void> {
  const away = `${file}.stale-${process.pid}`;
  try {
    await rename(file, away);
    if ((await readFile(away, 'utf8')) !== stale) await link(away, file);
  } catch (error) {
    const other = error instanceof Error && 'code' in error ? error.code : undefined;
    if (other !== 'ENOENT' && other !== 'EEXIST') throw error;
  } finally {
    await rm(away, { force: true });
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    return Holder.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function lives({ pid, began }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const denied = error instanceof Error && 'code' in error && error.code === 'EPERM';
    if (!denied) return false;
  }
  const now = await beganOf(pid);
  return began === undefined || now.began === undefined || now.began === began;
}

async function beganOf(pid: number): Promise<{ began?: string }> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return began === undefined ? {} : { began };
  } catch {
    return {};
  }
}

function taken(file: string, { pid, url }: Holder): UserError {
  const where = url === undefined ? '' : ` and answers at ${url}`;
  return new UserError('conflict', `process ${pid} uses ${file} already${where}`, {
    hint: 'stop it first, or give this one a state folder of its own (WINDLASS_STATE)',
  });
}

function text(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`;
}
