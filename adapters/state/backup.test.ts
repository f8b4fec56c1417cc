import { execFileSync } from 'node:child_process';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBare } from '#adapters/git/bare.ts';
import { messageOf } from '#core/errors.ts';
import { writeBackup } from './backup.ts';
import type { BackupRequest, BackupSummary } from './backup.ts';
import { makeIdentity } from './identity.ts';
import { restoreBackup } from './restore.ts';
import { checkStateVersion, STATE_VERSION, upgradeState } from './state-version.ts';
import { openTokens } from './tokens.ts';

const machine = { PATH: process.env['PATH'] };
const signal = AbortSignal.timeout(60_000);
let folder = '';
let stateDir = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-backup-'));
  stateDir = join(folder, 'state');
  file = join(folder, 'backup.tar.gz');
  await mkdir(stateDir);
  await upgradeState(stateDir, () => {});
  await openTokens(stateDir);
  await makeIdentity(stateDir);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function backup(change: Partial<BackupRequest> = {}): Promise<BackupSummary> {
  const request = { stateDir, file, withImages: false, machine, at: 7, ...change };
  return writeBackup(request, signal);
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(stateDir, dirname(path)), { recursive: true });
  await writeFile(join(stateDir, path), text);
}

async function addRepository(path: string): Promise<void> {
  const repository = openBare(join(stateDir, path), machine);
  await repository.create();
  const commit = 'committer a <a@b> 1 +0000\ndata 0\n\nM 100644 inline a\ndata 1\na\n\n';
  const refs = ['refs/heads/local', 'refs/windlass/healthy/local'];
  const input = refs.map((ref) => `commit ${ref}\n${commit}`).join('');
  await repository.git(['fast-import', '--quiet'], { input });
  await repository.git(['symbolic-ref', 'HEAD', 'refs/heads/local']);
  await writeFile(join(stateDir, path, 'windlass-pipeline.json'), '{}');
}

async function filesIn(top: string): Promise<Record<string, string>> {
  const entries = await readdir(top, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes('.git'));
  const texts = files.map(async (entry): Promise<[string, string]> => {
    const path = join(entry.parentPath, entry.name);
    return [path.slice(top.length + 1), await readFile(path, 'utf8')];
  });
  return Object.fromEntries(await Promise.all(texts));
}

function refsOf(state: string, path: string): string {
  const shown = ['for-each-ref', '--format=%(refname) %(objectname)'];
  const options = { cwd: join(state, path), encoding: 'utf8' } as const;
  const head = execFileSync('git', ['symbolic-ref', 'HEAD'], options);
  return head + execFileSync('git', shown, options);
}

describe('a backup', () => {
  it('brings everything back that is not made anew', async () => {
    await write('by-hand.json', '{}');
    await write('something-new.json', 'of a later version');
    await write('runs/hello/a.log', 'line\n');
    await write('runs/hello/empty.log', '');
    await write('registry/port', '5380\n');
    const kept = await filesIn(stateDir);
    for (const path of [
      'redis/appendonly.aof',
      'build/mirrors/a',
      'tools/redis-server/b',
      'hooks/c',
    ])
      await write(path, 'made anew');
    for (const path of ['server.lock', 'windlass.log', 'tokens.json.part', 'registry/config.yml'])
      await write(path, 'passing');
    for (const path of ['git/hello.git', 'git/releases/hello.git', 'git/config.git'])
      await addRepository(path);
    await openBare(join(stateDir, 'git/empty.git'), machine).create();
    const { repositories, files } = await backup();
    expect(repositories).toBe(4);
    expect(files).toBe(Object.keys(kept).length);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).toSorted()).toEqual(['backup.tar.gz', 'state']);

    const restored = join(folder, 'restored');
    const header = await restoreBackup(file, restored, signal);
    expect(header).toEqual({ version: 1, stateVersion: STATE_VERSION, at: 7 });
    expect(await filesIn(restored)).toEqual(kept);
    for (const path of ['git/hello.git', 'git/releases/hello.git', 'git/config.git']) {
      expect(refsOf(restored, path)).toBe(refsOf(stateDir, path));
      expect(await readFile(join(restored, path, 'windlass-pipeline.json'), 'utf8')).toBe('{}');
      execFileSync('git', ['fsck', '--strict'], { cwd: join(restored, path), stdio: 'ignore' });
    }
    expect(refsOf(restored, 'git/empty.git')).toBe('refs/heads/main\n');
    expect((await stat(join(restored, 'tokens.json'))).mode & 0o777).toBe(0o600);
    await checkStateVersion(restored);
  });

  it('is whole while logs grow and repositories are pushed to', async () => {
    await addRepository('git/hello.git');
    await write('runs/hello/a.log', 'x\n'.repeat(100_000));
    const repository = openBare(join(stateDir, 'git/hello.git'), machine);
    let isOver = false;
    async function change(): Promise<void> {
      for (let index = 0; !isOver; index += 1) {
        await appendFile(join(stateDir, 'runs/hello/a.log'), 'more\n');
        const commit = `commit refs/heads/b${index}\ncommitter a <a@b> 1 +0000\ndata 0\n\n`;
        await repository.git(['fast-import', '--quiet'], { input: commit });
      }
    }
    const changing = change();
    await backup();
    isOver = true;
    await changing;
    const restored = join(folder, 'restored');
    await restoreBackup(file, restored, signal);
    const log = await readFile(join(restored, 'runs/hello/a.log'), 'utf8');
    expect(log.startsWith('x\n'.repeat(100_000))).toBe(true);
    execFileSync('git', ['fsck'], { cwd: join(restored, 'git/hello.git'), stdio: 'ignore' });
  });

  it('has the images where that is asked for', async () => {
    const blob = 'registry/data/docker/registry/v2/blobs/sha256/aa/aab/data';
    await write(blob, 'layer');
    await write('registry/data/docker/registry/v2/repositories/a/_manifests/link', 'sha256:aab');
    await write('registry/data/docker/registry/v2/repositories/a/_uploads/1/data', 'half');
    await backup({ withImages: true });
    await restoreBackup(file, join(folder, 'restored'), signal);
    const restored = await filesIn(join(folder, 'restored', 'registry'));
    expect(Object.keys(restored)).toHaveLength(2);
    expect(await readFile(join(folder, 'restored', blob), 'utf8')).toBe('layer');
  });

  it.each([
    ['over another file', async () => writeFile(file, ''), {}, 'is there already'],
    ['within the state folder', undefined, { in: 'state' }, 'is within the state folder itself'],
    ['of what is no state folder', async () => rm(stateDir, { recursive: true }), {}, 'no state'],
    ['to nowhere', undefined, { in: 'none' }, 'there is no folder'],
  ] as const)('is not made %s', async (_case, prepare, to, says) => {
    await prepare?.();
    const target = 'in' in to ? join(folder, to.in, 'b.tar.gz') : file;
    await expect(backup({ file: target })).rejects.toThrow(says);
  });
});

describe('a restore', () => {
  function restored(): string {
    return join(folder, 'restored');
  }

  /** Why it is refused; the folder must be as before. */
  async function refusal(): Promise<string> {
    const before = await readdir(restored()).catch(() => []);
    const message = await restoreBackup(file, restored(), signal).then(
      () => 'no refusal',
      messageOf,
    );
    expect(await readdir(restored()).catch(() => [])).toEqual(before);
    return message;
  }

  it('refuses a folder that is in use', async () => {
    await backup();
    await mkdir(restored());
    await writeFile(join(restored(), 'tokens.json'), '');
    expect(await refusal()).toContain('is in use: it holds tokens.json');
  });

  it('leaves a registry and a Redis that are there as they are', async () => {
    await write('registry/port', '5380\n');
    await backup();
    await mkdir(join(restored(), 'registry'), { recursive: true });
    await writeFile(join(restored(), 'registry/port'), '5999\n');
    await mkdir(join(restored(), 'redis'));
    await restoreBackup(file, restored(), signal);
    expect(await readFile(join(restored(), 'registry/port'), 'utf8')).toBe('5999\n');
    expect(await readdir(restored())).toContain('records.key');
  });

  it.each([
    ['half a backup', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
    ['what is no archive', () => Buffer.from('hello')],
  ])('refuses %s', async (_case, spoil) => {
    await write('runs/hello/a.log', 'line\n'.repeat(10_000));
    await backup();
    await writeFile(file, spoil(await readFile(file)));
    await mkdir(restored());
    expect(await refusal()).toContain('cannot be read');
  });

  it('refuses another archive', async () => {
    execFileSync('tar', ['-czf', file, '-C', stateDir, '.']);
    await mkdir(restored());
    expect(await refusal()).toContain('is no backup of Windlass');
  });

  it('refuses a backup of a newer Windlass', async () => {
    await writeFile(
      join(folder, 'windlass-backup.json'),
      JSON.stringify({ version: 1, stateVersion: STATE_VERSION + 1, at: 0 }),
    );
    execFileSync('tar', ['-czf', file, '-C', folder, 'windlass-backup.json']);
    await mkdir(restored());
    expect(await refusal()).toContain(`is of version ${STATE_VERSION + 1}`);
  });

  it('refuses paths that lead out of the folder', async () => {
    await writeFile(
      join(folder, 'windlass-backup.json'),
      JSON.stringify({ version: 1, stateVersion: STATE_VERSION, at: 0 }),
    );
    await writeFile(join(folder, 'outside'), 'evil');
    const names = ['windlass-backup.json', 'outside'];
    const rename = ['-P', '--transform', 's,^outside,../outside2,'];
    execFileSync('tar', ['-czf', file, ...rename, '-C', folder, ...names]);
    await mkdir(restored());
    expect(await refusal()).toContain('leads out of the folder');
    expect(await readdir(folder)).not.toContain('outside2');
  });

  it('leaves a mark where it is cut off, which no program passes', async () => {
    await mkdir(join(restored(), 'restoring.part'), { recursive: true });
    await expect(checkStateVersion(restored())).rejects.toThrow('was cut off');
    await backup();
    await restoreBackup(file, restored(), signal);
    await checkStateVersion(restored());
  });
});
