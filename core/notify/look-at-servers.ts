import type { Notice } from '#core/notify/notice.ts';
import { PATIENCE_MS, whenDown, whenUp } from '#core/notify/outage.ts';
import type { Outage } from '#core/notify/outage.ts';
import { displayText } from '#core/present/display.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';

/** A cluster of several servers, and what runs on it. */
export interface FleetSight {
  cluster: string;
  owners: readonly { owner: string }[];
  fleet: {
    servers: readonly Pick<FleetStatus['servers'][number], 'name' | 'state' | 'declared'>[];
  };
}

/**
 * Servers that are gone, by `cluster/server`, and what is to be told: whoever hears of a pipeline with something on the
 * cluster is told once that a server is gone, and once that it is back. One that is to leave, or never joined, is not. One
 * of which nobody can tell how it is, as without quorum, is as it was before.
 */
export function lookAtServers(
  book: Readonly<Record<string, Outage>>,
  fleets: readonly FleetSight[],
  now: number,
): { lost: Record<string, Outage>; notices: Notice[] } {
  const lost = new Map(Object.entries(book));
  const notices: Notice[] = [];
  for (const { cluster, owners, fleet } of fleets) {
    const pipelines = new Set(owners.map(({ owner }) => owner.split('/')[0] ?? ''));
    const kept = fleet.servers.filter(
      ({ declared, state }) => declared !== undefined && declared !== 'absent' && state !== 'out',
    );
    // Of what is in the file no more nobody waits to hear.
    forget(lost, cluster, new Set(kept.map(({ name }) => name)));
    for (const { name, state } of kept.filter((server) => server.state !== 'unknown')) {
      const key = `${cluster}/${name}`;
      const before = lost.get(key);
      const after = state === 'ready' ? whenUp(before, now) : whenDown(before, false, now);
      const server = { cluster, name };
      if (after === undefined) {
        lost.delete(key);
        if (before?.told === true)
          notices.push(
            ...tell(pipelines, server, before.since, 'recovery', before.backSince ?? now),
          );
      } else if (!after.told && now - after.since >= PATIENCE_MS) {
        lost.set(key, { ...after, told: true });
        notices.push(...tell(pipelines, server, after.since, 'failure', after.since));
      } else lost.set(key, after);
    }
  }
  return { lost: Object.fromEntries(lost), notices };
}

function forget(lost: Map<string, Outage>, cluster: string, kept: ReadonlySet<string>): void {
  for (const key of lost.keys()) {
    const isOf = key.startsWith(`${cluster}/`);
    if (isOf && !kept.has(key.slice(cluster.length + 1))) lost.delete(key);
  }
}

function tell(
  pipelines: ReadonlySet<string>,
  server: { cluster: string; name: string },
  since: number,
  kind: Notice['kind'],
  at: number,
): Notice[] {
  const { cluster, name } = server;
  const what = kind === 'failure' ? 'is gone' : 'is back';
  const reason = kind === 'failure' ? 'what can run on other servers is begun there' : '';
  const said = displayText(`server ${name} of cluster ${cluster} ${what}`);
  return [...pipelines].toSorted().map((pipeline) => ({
    version: 1,
    id: `server-${pipeline}-${cluster}-${name}-${since}-${kind}`,
    kind,
    of: 'server',
    at: new Date(at).toISOString(),
    pipeline,
    server,
    reason,
    text: `${pipeline}: ${said}${reason === '' ? '' : `: ${reason}`}`,
  }));
}
