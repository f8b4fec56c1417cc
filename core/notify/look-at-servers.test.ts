import { describe, expect, it } from 'vitest';
import { lookAtServers } from '#core/notify/look-at-servers.ts';
import type { FleetSight } from '#core/notify/look-at-servers.ts';
import { Notice } from '#core/notify/notice.ts';
import { PATIENCE_MS } from '#core/notify/outage.ts';

type Server = FleetSight['fleet']['servers'][number];

function sight(state: string, more: Partial<Server> = {}, others = 'ready'): FleetSight[] {
  return [
    {
      cluster: 'fleet',
      owners: [{ owner: 'shop/live' }, { owner: 'blog/live' }, { owner: 'shop/test' }],
      fleet: {
        servers: [
          { name: 's1', state: others, declared: 'active' },
          { name: 's2', state, declared: 'active', ...more },
        ],
      },
    },
  ];
}

/** Looks at one sight after the other, each as much later as is said. */
function tell(...looks: readonly [fleets: FleetSight[], after: number][]): string[] {
  let lost = {};
  let now = 1_000_000;
  return looks.flatMap(([fleets, after]) => {
    now += after;
    const seen = lookAtServers(lost, fleets, now);
    ({ lost } = seen);
    return seen.notices.map((notice) => Notice.parse(notice).text);
  });
}

const GONE = ['blog', 'shop'].map(
  (name) =>
    `${name}: server s2 of cluster fleet is gone: what can run on other servers is begun there`,
);
const BACK = ['blog', 'shop'].map((name) => `${name}: server s2 of cluster fleet is back`);

describe('lookAtServers', () => {
  it('tells each pipeline there once that a server is gone, and once that it is back', () => {
    const down = sight('down');
    const up = sight('ready');
    const told = tell(
      [down, 0],
      [down, PATIENCE_MS],
      [down, PATIENCE_MS],
      [up, 1],
      [up, PATIENCE_MS],
      [up, 1],
    );
    expect(told).toEqual([...GONE, ...BACK]);
  });

  it('tells once of one that comes and goes', () => {
    const down = sight('down');
    const up = sight('ready');
    expect(tell([down, 0], [down, PATIENCE_MS], [up, 1], [down, 1], [down, PATIENCE_MS])).toEqual(
      GONE,
    );
  });

  it('tells nothing of one that was away for less than a minute', () => {
    expect(tell([sight('down'), 0], [sight('ready'), PATIENCE_MS - 1])).toEqual([]);
  });

  it.each([
    ['is to leave', sight('down', { declared: 'absent' })],
    ['never joined', sight('out')],
  ])('tells nothing of one that %s', (_what, fleets) => {
    expect(tell([fleets, 0], [fleets, PATIENCE_MS])).toEqual([]);
  });

  it('tells nothing of servers of which nobody can tell how they are, and nothing of their return', () => {
    const unknown = sight('unknown', {}, 'unknown');
    const up = sight('ready');
    expect(
      tell(
        [up, 0],
        [unknown, 1],
        [unknown, 2 * PATIENCE_MS],
        [up, PATIENCE_MS],
        [up, PATIENCE_MS],
        [up, PATIENCE_MS],
      ),
    ).toEqual([]);
  });

  it('takes one of which nobody can tell how it is for what it was before', () => {
    const down = sight('down');
    const unknown = sight('unknown', {}, 'unknown');
    const up = sight('ready');
    const told = tell(
      [down, 0],
      [down, PATIENCE_MS],
      [unknown, PATIENCE_MS],
      [unknown, PATIENCE_MS],
      [down, PATIENCE_MS],
      [up, 1],
      [unknown, PATIENCE_MS],
      [up, 1],
    );
    expect(told).toEqual([...GONE, ...BACK]);
  });

  it('tells of one that is gone once quorum is back', () => {
    const unknown = sight('unknown', {}, 'unknown');
    const down = sight('down');
    expect(tell([unknown, 0], [unknown, PATIENCE_MS], [down, 1])).toEqual([]);
    expect(tell([unknown, 0], [down, PATIENCE_MS], [down, PATIENCE_MS])).toEqual(GONE);
  });

  it('forgets one that is in the file no more', () => {
    const down = sight('down');
    const none = down.map((each) => ({ ...each, fleet: { servers: [] } }));
    expect(tell([down, 0], [down, PATIENCE_MS], [none, 1], [sight('ready'), PATIENCE_MS])).toEqual(
      GONE,
    );
  });

  it('forgets nothing of a cluster that is not seen', () => {
    const down = sight('down');
    expect(tell([down, 0], [down, PATIENCE_MS], [[], 1], [down, PATIENCE_MS])).toEqual(GONE);
  });
});
