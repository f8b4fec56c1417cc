import { randomBytes } from 'node:crypto';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';

const LABEL = 'windlass.dev/installation';
const KINDS = [
  { list: '/containers/json', query: { all: true }, one: '/containers' },
  { list: '/networks', query: {}, one: '/networks' },
  { list: '/volumes', query: {}, one: '/volumes' },
] as const;

interface Listed {
  Id?: string;
  Name?: string;
}

/** An id that no other test and no real installation has. */
export function uniqueInstallation(): string {
  return randomBytes(4).toString('hex');
}

/** Removes every container, network and volume of the installation from the local engine. */
export async function cleanUp(installation: string): Promise<void> {
  const docker = connectDocker('unix:///var/run/docker.sock');
  const signal = AbortSignal.timeout(60_000);
  const filters = JSON.stringify({ label: [`${LABEL}=${installation}`] });
  for (const { list, query, one } of KINDS) {
    const answer = await callDocker<Listed[] | { Volumes: Listed[] | null }>(docker, {
      method: 'GET',
      path: list,
      query: { ...query, filters },
      signal,
    });
    const found = Array.isArray(answer) ? answer : (answer.Volumes ?? []);
    await Promise.all(found.map(({ Id, Name }) => remove(`${one}/${Id ?? Name ?? ''}`)));
  }

  async function remove(path: string): Promise<void> {
    const query = path.startsWith('/networks') ? {} : { force: true };
    try {
      await callDocker(docker, { method: 'DELETE', path, query, signal });
    } catch (error) {
      if (!isStatus(error, 404) && !isStatus(error, 409)) throw error;
    }
  }
}
