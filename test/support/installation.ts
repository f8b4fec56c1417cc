import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { callDocker, DockerError } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { isAlive } from '#adapters/processes/identity.ts';
import { messageOf, UserError } from '#core/errors.ts';

const LABEL = 'windlass.dev/installation';
const ROLE = 'windlass.dev/role';
const KINDS = [
  {
    list: '/containers/json',
    query: { all: true },
    one: '/containers',
    how: { force: true, v: true },
  },
  { list: '/networks', query: {}, one: '/networks', how: {} },
  { list: '/volumes', query: {}, one: '/volumes', how: {} },
] as const;
/** A file for each installation that is not cleaned up yet, with the pid of whose it is. */
const IN_USE = join(tmpdir(), 'windlass-test-installations');
const TIMEOUT_MS = 180_000;
/** For what is on its way out, of each kind: on a machine that has much to do that takes long. */
const PATIENCE_MS = 45_000;
const LOOK_AGAIN_MS = 200;
const REMOVED_AT_ONCE = 8;

interface Listed {
  Id?: string;
  Name?: string;
  Labels?: Record<string, string> | null;
}

/** An id that no other test and no real installation has. Whoever asks for it cleans it up. */
export function uniqueInstallation(): string {
  const installation = randomBytes(4).toString('hex');
  mkdirSync(IN_USE, { recursive: true });
  writeFileSync(join(IN_USE, installation), String(process.pid));
  return installation;
}

/** Cleans up after tests that were killed: says of which, and what stays until it is next called. */
export async function cleanUpLeft(say: (line: string) => void): Promise<void> {
  for (const installation of await readdir(IN_USE).catch(() => [])) {
    if (isAlive(Number(await readFile(join(IN_USE, installation), 'utf8')))) continue;
    try {
      await cleanUp(installation);
      say(`cleaned up after a test that was killed: ${installation}`);
    } catch (error) {
      say(`not all that a killed test left is gone: ${messageOf(error)}`);
    }
  }
}

/**
 * Removes every container with its anonymous volumes, network and volume of the installation from the local engine.
 * Throws an Error with Docker's reasons where some of them stay.
 */
export async function cleanUp(installation: string): Promise<void> {
  const docker = connectDocker('unix:///var/run/docker.sock');
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const filters = JSON.stringify({ label: [`${LABEL}=${installation}`] });
  const staying: string[] = [];
  for (const kind of KINDS) staying.push(...(await removeAll(kind)));
  if (staying.length > 0) throw new Error(`${installation}: ${staying.join('; ')}`);
  await rm(join(IN_USE, installation), { force: true });

  /** Answers what stays, and why. */
  async function removeAll({ list, query, one, how }: (typeof KINDS)[number]): Promise<string[]> {
    const end = Date.now() + PATIENCE_MS;
    let refused: string[] = [];
    for (;;) {
      const answer = await callDocker<Listed[] | { Volumes: Listed[] | null }>(docker, {
        method: 'GET',
        path: list,
        query: { ...query, filters },
        signal,
      });
      const found = Array.isArray(answer) ? answer : (answer.Volumes ?? []);
      if (found.length === 0) return [];
      if (Date.now() > end) return refused;
      const parts = Map.groupBy(
        found,
        ({ Labels }) => Labels?.[ROLE]?.endsWith('sandbox') ?? false,
      );
      refused = [];
      // What lives in a sandbox's network before it: Docker loses count of a network's endpoints otherwise.
      for (const isSandbox of [false, true]) {
        const paths = (parts.get(isSandbox) ?? []).map(({ Id, Name }) => `${one}/${Id ?? Name}`);
        refused.push(
          ...(await pMap(paths, (path) => remove(path, how), { concurrency: REMOVED_AT_ONCE })),
        );
      }
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  }

  /** Answers what to tell of it where it stays. */
  async function remove(path: string, query: Record<string, boolean>): Promise<string> {
    try {
      await callDocker(docker, { method: 'DELETE', path, query, signal });
      return `${path} stays`;
    } catch (error) {
      // Docker goes on with what it has no answer to yet.
      if (error instanceof DockerError || error instanceof UserError) return error.message;
      throw error;
    }
  }
}
