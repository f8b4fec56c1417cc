import pMap from 'p-map';
import type { Logger } from 'pino';
import { ownersOn, windowsOn } from '#core/declarations/declarations.ts';
import type { Published } from '#core/declarations/declarations.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import { ownerKey } from '#core/owner.ts';
import type { ServerApi, SharedState } from '#core/ports.ts';
import type { Controller } from './controller.ts';
import { readDesired } from './desired.ts';
import { createRefresher } from './refresher.ts';

const READ_AT_ONCE = 4;
/** Somebody has to put a repository right that git cannot read. */
const READ_AGAIN_MS = 30_000;

interface FollowDependencies {
  shared: SharedState;
  server: ServerApi;
  log: Logger;
}

/**
 * Keeps the controller told of what is declared, released and done by hand. Resolves once it knows all that (with the
 * server away it waits as long as it takes), and answers a promise of the end of following.
 */
export async function followServer(
  cluster: string,
  controller: Controller,
  { shared, server, log }: FollowDependencies,
  signal: AbortSignal,
): Promise<Promise<unknown>[]> {
  const context = { log, signal };
  let lacking: ReadonlySet<OwnerKey> = new Set();
  let again: NodeJS.Timeout | undefined;

  const byHand = createRefresher(
    async () => controller.takeByHand(await server.byHand(signal)),
    'waiting for the server to tell what was done by hand',
    context,
  );
  const heads = createRefresher(
    async () => {
      const wanted = lacking;
      const { releases, unreadable } = await server.heads(cluster, signal);
      const unread = new Map(
        unreadable.map(({ pipeline, entry, reason }) => [ownerKey(pipeline, entry), reason]),
      );
      await pMap(
        releases.filter(({ pipeline, entry }) => wanted.has(ownerKey(pipeline, entry))),
        async ({ pipeline, entry, commit }) => {
          const owner = ownerKey(pipeline, entry);
          try {
            controller.adopt(
              await readDesired(owner, commit, () => server.manifests(pipeline, commit, signal)),
            );
          } catch (error) {
            if (signal.aborted || (error instanceof UserError && error.transient)) throw error;
            unread.set(owner, messageOf(error));
          }
        },
        { concurrency: READ_AT_ONCE },
      );
      tellUnread(new Map([...unread].filter(([owner]) => wanted.has(owner))));
    },
    'waiting for the server to tell the releases',
    context,
  );
  /** The others go on; these are read again. */
  function tellUnread(unread: ReadonlyMap<OwnerKey, string>): void {
    controller.lack(unread);
    if (unread.size === 0) return;
    log.error({ cluster, unread: Object.fromEntries(unread) }, 'releases cannot be read');
    clearTimeout(again);
    again = setTimeout(() => later(heads.refresh()), READ_AGAIN_MS).unref();
  }
  async function declare(told: Published): Promise<void> {
    lacking = new Set(controller.declare(ownersOn(cluster, told), windowsOn(cluster, told)));
    if (lacking.size > 0) await heads.refresh();
  }

  await byHand.refresh();
  await declare(await shared.declarations());
  function later(work: Promise<void>): void {
    work.catch((error: unknown) =>
      log.error({ cluster, err: error }, 'what the server tells cannot be taken'),
    );
  }
  return [
    shared.followByHand(() => later(byHand.refresh()), signal),
    shared.followDeclarations((told) => later(declare(told)), signal),
  ];
}
