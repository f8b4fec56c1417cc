import { docker } from './docker-command.ts';

const REMOVED_AT_ONCE = 10;

/** Few at once, and what lives in a sandbox's network before it: Docker loses count of a network's endpoints otherwise. */
export async function removeContainers(installation: string): Promise<void> {
  for (const role of ['container', 'sandbox']) {
    const labels = [`windlass.dev/installation=${installation}`, `windlass.dev/role=${role}`];
    const filters = labels.flatMap((label) => ['--filter', `label=${label}`]);
    const stdout = await docker('ps', '--all', '--quiet', ...filters);
    const ids = stdout.split('\n').filter((id) => id !== '');
    for (let first = 0; first < ids.length; first += REMOVED_AT_ONCE)
      await docker('rm', '--force', '--volumes', ...ids.slice(first, first + REMOVED_AT_ONCE));
  }
}
