import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import { pruneGuard } from '#core/declarations/cluster.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { DesiredState } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import type { ClusterStatus, ServerApi } from '#core/ports.ts';
import type { Release } from '#core/release/release.ts';
import { createMemoryEngine } from '../../test/schedules/memory-engine.ts';
import { cluster } from '../../test/schedules/shop.ts';
import { createController } from './controller.ts';
import type { Controller } from './controller.ts';
import { followServer } from './follow-server.ts';

const log = pino({ level: 'silent' });
const { declarations } = parseDeclarations([
  {
    path: 'all.yaml',
    text: ['shop', 'blog', 'wiki']
      .map(
        (name) => `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${name} }
spec: { images: [{ name: web }], deploy: [{ cluster: here, manifests: deploy }] }
`,
      )
      .join('---\n'),
  },
]);

let end: AbortController;
let controller: Controller;
let asked: readonly DesiredState[];
let published: Omit<ClusterStatus, 'controller'>[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  end = new AbortController();
  asked = [];
  published = [];
  controller = createController({
    cluster: 'here',
    engine: {
      ...createMemoryEngine(() => true),
      async reconcile(desired) {
        asked = desired;
        const orphans = ['blog/here', 'old/here'].map((owner) => ({
          owner,
          resources: [],
          pods: 1,
        }));
        return { owners: [], orphans, done: [], wakeAfterMs: 60_000 };
      },
    },
    guard: pruneGuard(cluster),
    intervalMs: 60_000,
    publish: async (status) => void published.push(status),
    events: { passed: () => undefined, tell: () => undefined },
    now: Date.now,
    log,
  });
});
afterEach(() => {
  end.abort();
  vi.useRealTimers();
});

const head = { entry: 'here', source: 's', subject: '', author: '', at: 0, healthy: true };

function configMap(name: string): Record<string, string> {
  return { 'a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n` };
}

it('goes on with the others where a release cannot be read, and reads it again', async () => {
  let isBroken = true;
  const server = {
    byHand: async () => ({}),
    async heads() {
      const pipelines = isBroken ? ['shop', 'wiki'] : ['shop', 'wiki', 'blog'];
      const reason = 'git log ended with 128: bad object';
      return {
        releases: pipelines.map((pipeline): Release => ({ ...head, pipeline, commit: pipeline })),
        unreadable: isBroken ? [{ pipeline: 'blog', entry: 'here', reason }] : [],
      };
    },
    async manifests(pipeline: string) {
      if (isBroken && pipeline === 'wiki') throw new UserError('not-found', 'no such release');
      return configMap(pipeline);
    },
  } as unknown as ServerApi;
  const shared = createMemorySharedState();
  await shared.putDeclarations({ ...declarations, clusters: { here: cluster }, retired: {} });
  const following = await followServer('here', controller, { shared, server, log }, end.signal);
  void controller.run(end.signal);

  await vi.waitFor(() => expect(published.at(-1)?.owners).toHaveLength(2));
  expect(asked.map(({ owner }) => owner)).toEqual(['shop/here']);
  const left = 'its release cannot be read, and what it has here is left as it is: ';
  expect(published.at(-1)).toMatchObject({
    owners: [
      { owner: 'blog/here', serving: false, failure: `${left}git log ended with 128: bad object` },
      { owner: 'wiki/here', serving: false, failure: `${left}no such release` },
    ],
    orphans: [{ owner: 'old/here' }],
  });

  isBroken = false;
  await vi.advanceTimersByTimeAsync(30_000);
  await vi.waitFor(() => expect(published.at(-1)?.owners).toEqual([]));
  expect(asked.map(({ owner }) => owner).toSorted()).toEqual([
    'blog/here',
    'shop/here',
    'wiki/here',
  ]);
  end.abort();
  await Promise.all(following);
});
