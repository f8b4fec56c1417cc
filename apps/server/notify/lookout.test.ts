import { expect, it } from 'vitest';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import { createLookout } from './lookout.ts';

it('sees what should be on a cluster that cannot be reached, but for what is suspended', async () => {
  const shared = createMemorySharedState();
  await shared.putClusterStatus('one', {
    cluster: 'one',
    controller: 'me',
    at: 0,
    owners: [],
    orphans: [],
    error: 'connection refused',
  });
  const lookout = createLookout({
    runs: createMemoryRunStore(),
    shared,
    clusters: () => ['one', 'never-seen'],
    ownersOn: async (cluster) => [`shop/${cluster}`, 'shop/suspended'],
    isSuspended: (owner) => owner === 'shop/suspended',
    now: () => 0,
  });
  const { clusters } = await lookout.see();
  expect(clusters).toMatchObject([
    { error: 'connection refused', owners: [{ owner: 'shop/one', serving: false }] },
  ]);
});
