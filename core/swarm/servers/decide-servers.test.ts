import { describe, expect, it } from 'vitest';
import { decideServers, DRAIN_MS, LED_MS, nextStep, SETTLE_MS } from './decide-servers.ts';
import {
  APPLICATIONS_LABEL,
  DRAINED_LABEL,
  REACH_LABEL,
  ROLE_LABEL,
  SERVER_LABEL,
} from './labels.ts';
import type {
  DeclaredServer,
  LeavingNode,
  Role,
  Seen,
  SeenEngine,
  SeenNode,
  SeenServer,
} from './seen.ts';

const NOW = 10_000_000;
const WEB = 'Deployment/default/web';
const DB = 'StatefulSet/default/db';

function server(name: string, role: Role, over: Partial<DeclaredServer> = {}): DeclaredServer {
  const reach = `unix:///${name}`;
  return { name, role, state: 'active', advertise: `10.0.0.${name}`, labels: {}, reach, ...over };
}

function node(name: string, role: Role, over: Partial<SeenNode> = {}): SeenNode {
  return {
    id: `n-${name}`,
    hostname: name,
    address: `10.0.0.${name}`,
    role,
    availability: 'active',
    state: 'ready',
    labels: {
      [SERVER_LABEL]: name,
      [ROLE_LABEL]: role,
      [REACH_LABEL]: `unix:///${name}`,
      [APPLICATIONS_LABEL]: String(role === 'worker'),
    },
    changedAt: 0,
    version: '20.10',
    tasks: 0,
    ...(role === 'manager' ? { raft: { isLeader: name === 'a', isReachable: true } } : {}),
    ...over,
  };
}

function answering(name: string, over: Partial<SeenEngine> = {}): SeenServer {
  const managers = ['n-a'];
  const engine: SeenEngine = {
    version: '20.10',
    membership: 'in',
    nodeId: `n-${name}`,
    address: `10.0.0.${name}`,
    isManager: false,
    managers,
    since: 0,
  };
  return { name, engine: { ...engine, ...over } };
}

function fresh(name: string): SeenServer {
  const engine: SeenEngine = {
    version: '20.10',
    membership: 'out',
    isManager: false,
    managers: [],
    since: 0,
  };
  return { name, engine };
}

/** As its Docker tells it before it is unlocked: without a node. */
function locked(name: string): SeenServer {
  const { engine } = fresh(name);
  return { name, engine: { ...(engine as SeenEngine), membership: 'locked' } };
}

function off(name: string): SeenServer {
  return { name };
}

function seen(servers: readonly SeenServer[], nodes?: readonly SeenNode[], waitingTasks = 0): Seen {
  if (nodes === undefined) return { now: NOW, servers };
  return { now: NOW, servers, swarm: { from: 'a', generation: 1, nodes, waitingTasks } };
}

const DEAD = { state: 'down' } as const;
const LOST = { raft: { isLeader: false, isReachable: false }, state: 'down' } as const;
const A = server('a', 'manager');
const B = server('b', 'worker');
const C = server('c', 'worker');
const THREE = ['a', 'b', 'c'].map((name) => server(name, 'manager'));
const nodes = {
  a: node('a', 'manager'),
  b: node('b', 'worker'),
  c: node('c', 'worker'),
};

const steps: { about: string; declared: DeclaredServer[]; seen: Seen; next: string | undefined }[] =
  [
    {
      about: 'begins a swarm at the first manager',
      declared: [B, A],
      seen: seen([fresh('a'), fresh('b')]),
      next: 'init a: no server is in a swarm yet, and it is the first manager declared',
    },
    {
      about: 'begins none while one that may have it does not answer',
      declared: [A, B],
      seen: seen([fresh('a'), off('b')]),
      next: undefined,
    },
    {
      about: 'has a server join',
      declared: [A, B],
      seen: seen(
        [answering('a'), fresh('b')],
        [node('a', 'manager', { labels: { ...nodes.a.labels, [APPLICATIONS_LABEL]: 'true' } })],
      ),
      next: 'join b: it is declared and in no swarm',
    },
    {
      about: 'finishes a join that was cut off, by what the server says of itself',
      declared: [A, B],
      seen: seen([answering('a'), answering('b')], [nodes.a, node('b', 'worker', { labels: {} })]),
      next: 'label b: it has joined and is not known by its name yet',
    },
    {
      about: 'finishes a join that was cut off by its address where the server is dead',
      declared: [A, B],
      seen: seen([answering('a'), off('b')], [nodes.a, node('b', 'worker', { labels: {} })]),
      next: 'label b: it has joined and is not known by its name yet',
    },
    {
      about: 'undoes a join that does not get through',
      declared: [A, B],
      seen: seen(
        [
          answering('a'),
          {
            name: 'b',
            engine: {
              version: '20.10',
              membership: 'joining',
              isManager: false,
              managers: [],
              since: NOW - SETTLE_MS,
            },
          },
        ],
        [nodes.a],
      ),
      next: 'clean b: it began to join and did not get through',
    },
    {
      about: 'takes applications off the managers once a worker has room',
      declared: [A, B],
      seen: seen(
        [answering('a'), answering('b')],
        [
          node('a', 'manager', { labels: { ...nodes.a.labels, [APPLICATIONS_LABEL]: 'true' } }),
          nodes.b,
        ],
      ),
      next: 'label a: labels differ: windlass.applications',
    },
    {
      about: 'leaves them off when the worker dies',
      declared: [A, B],
      seen: seen([answering('a'), off('b')], [nodes.a, node('b', 'worker', DEAD)]),
      next: undefined,
    },
    {
      about: 'gives them back where no workers are declared any more',
      declared: [A],
      seen: seen([answering('a'), answering('b')], [nodes.a, nodes.b]),
      next: 'label a: labels differ: windlass.applications',
    },
    {
      about: 'relabels',
      declared: [A, server('b', 'worker', { labels: { disk: 'ssd' } })],
      seen: seen([answering('a'), answering('b')], [nodes.a, nodes.b]),
      next: 'label b: labels differ: disk',
    },
    {
      about: 'calls a server by its new name',
      declared: [A, server('b2', 'worker', { reach: 'unix:///b', advertise: '10.0.0.b' })],
      seen: seen(
        [answering('a'), { ...answering('b'), name: 'b2' }, answering('b')],
        [nodes.a, nodes.b],
      ),
      next: 'label b2: labels differ: windlass.server',
    },
    {
      about: 'calls the only manager by its new name',
      declared: [server('a2', 'manager', { reach: 'unix:///a', advertise: '10.0.0.a' }), B],
      seen: seen(
        [{ ...answering('a'), name: 'a2' }, answering('b'), answering('a')],
        [nodes.a, nodes.b],
      ),
      next: 'label a2: labels differ: windlass.server',
    },
    {
      about: 'keeps a dead server that has a new name',
      declared: [A, server('b2', 'worker', { reach: 'unix:///b' })],
      seen: seen([answering('a'), off('b2')], [nodes.a, node('b', 'worker', DEAD)]),
      next: 'label b2: labels differ: windlass.server',
    },
    {
      about: 'has no server forget its swarm for a second name',
      declared: [A, B, server('c', 'worker')],
      seen: seen(
        [answering('a'), answering('b'), { ...answering('a'), name: 'c' }],
        [nodes.a, nodes.b],
      ),
      next: undefined,
    },
    {
      about: 'cleans one that comes back and is in no file any more',
      declared: [A, B],
      seen: seen([answering('a'), answering('b'), answering('c')], [nodes.a, nodes.b]),
      next: 'clean c: it came back after it was removed: the swarm does not know its node any more',
    },
    {
      about: 'takes a node for the declared server of its label while that does not answer',
      declared: [A, B],
      seen: seen(
        [answering('a'), off('b'), { ...answering('b'), name: 'before' }],
        [nodes.a, nodes.b],
      ),
      next: undefined,
    },
    {
      about: 'leaves one alone that is in no file any more and whose swarm is in trouble',
      declared: [A, B],
      seen: seen(
        [answering('a'), answering('b'), answering('c', { membership: 'broken', managers: [] })],
        [nodes.a, nodes.b],
      ),
      next: undefined,
    },
    {
      about: 'leaves one alone that is in no file any more and in another swarm',
      declared: [A, B],
      seen: seen(
        [answering('a'), answering('b'), answering('c', { managers: ['other'] })],
        [nodes.a, nodes.b],
      ),
      next: undefined,
    },
    {
      about: 'promotes',
      declared: [A, server('b', 'manager'), server('c', 'manager')],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [
          node('a', 'manager', { labels: { ...nodes.a.labels, [APPLICATIONS_LABEL]: 'true' } }),
          node('b', 'worker', { labels: { ...nodes.b.labels, [ROLE_LABEL]: 'manager' } }),
          node('c', 'manager', {
            labels: { ...node('c', 'manager').labels, [APPLICATIONS_LABEL]: 'true' },
          }),
        ],
      ),
      next: 'promote b: it is declared a manager',
    },
    {
      about: 'leaves one alone that is called a manager and has yet to become one',
      declared: [A, server('b', 'manager'), C],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [
          nodes.a,
          node('b', 'worker', { role: 'manager', labels: node('b', 'manager').labels }),
          nodes.c,
        ],
      ),
      next: undefined,
    },
    {
      about: 'removes one that was lost before a recovery, which cannot be demoted',
      declared: [A, C],
      seen: seen(
        [answering('a'), off('b'), answering('c')],
        [nodes.a, node('b', 'worker', { ...DEAD, role: 'manager' }), nodes.c],
      ),
      next: 'remove b: it is in no file any more, and it is dead',
    },
    {
      about: 'gives one its time that came back after a recovery and knows of no leader',
      declared: [A, server('b', 'manager'), C],
      seen: seen(
        [answering('a'), answering('b', { isManager: true, since: NOW - 1 }), answering('c')],
        [nodes.a, node('b', 'worker', { role: 'manager' }), nodes.c],
      ),
      next: undefined,
    },
    {
      about: 'takes it in anew where nobody tells it what became of the swarm',
      declared: [A, server('b', 'manager'), C],
      seen: seen(
        [
          answering('a'),
          answering('b', { isManager: true, since: NOW - SETTLE_MS }),
          answering('c'),
        ],
        [nodes.a, node('b', 'worker', { role: 'manager' }), nodes.c],
      ),
      next: 'clean b: it knows of no leader, and the swarm went on without it',
    },
    {
      about: 'removes what it was then',
      declared: [A, server('b', 'manager'), C],
      seen: seen(
        [answering('a'), fresh('b'), answering('c')],
        [nodes.a, node('b', 'worker', { ...DEAD, role: 'manager' }), nodes.c],
      ),
      next: 'remove b: its server is another one now, and it is dead',
    },
    {
      about: 'drains what is declared so',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [nodes.a, node('b', 'worker', { tasks: 3 }), nodes.c],
      ),
      next: 'drain b: it is declared to be drained',
    },
    {
      about: 'gives it no new tasks first, where what runs there is moved',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({}, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'active' }),
        nodes.c,
      ]),
      next: 'pause b: it is declared to be drained',
    },
    {
      about: 'does not drain before what leaves it was looked at',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({}, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause' }),
        nodes.c,
      ]),
      next: undefined,
    },
    {
      about: 'does not drain while something is about to serve elsewhere',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [WEB], breaks: [] } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause' }),
        nodes.c,
      ]),
      next: undefined,
    },
    {
      about: 'drains what nothing is waited for on',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [], breaks: [] } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause' }),
        nodes.c,
      ]),
      next: 'drain b: it is declared to be drained',
    },
    {
      about: 'does not drain while proxies lead there',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [], breaks: [], isLedTo: true } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause', changedAt: NOW - LED_MS + 1 }),
        nodes.c,
      ]),
      next: undefined,
    },
    {
      about: 'does not take out what proxies lead to',
      declared: [A, C],
      seen: moving({ 'n-b': { waits: [], breaks: [], isLedTo: true } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause', changedAt: NOW }),
        nodes.c,
      ]),
      next: undefined,
    },
    {
      about: 'waits for proxies no longer than ten minutes',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [], breaks: [], isLedTo: true } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause', changedAt: NOW - LED_MS }),
        nodes.c,
      ]),
      next: 'drain b: it is declared to be drained',
    },
    {
      about: 'says what is away meanwhile',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [], breaks: [WEB] } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause' }),
        nodes.c,
      ]),
      next: 'drain b: it is declared to be drained; away until Swarm has made them anew elsewhere: Deployment/default/web',
    },
    {
      about: 'says what is away for as long as its volumes are',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving(
        { 'n-b': { waits: [], breaks: [WEB, DB] } },
        [nodes.a, node('b', 'worker', { tasks: 3, availability: 'pause' }), nodes.c],
        { 'n-b': [DB] },
      ),
      next: 'drain b: it is declared to be drained; away until Swarm has made them anew elsewhere: Deployment/default/web; away until it is back, since their volumes are there: StatefulSet/default/db',
    },
    {
      about: 'takes no server out that something is bound to',
      declared: [A, C],
      seen: moving({}, [nodes.a, node('b', 'worker', { tasks: 3 }), nodes.c], { 'n-b': [DB] }),
      next: undefined,
    },
    {
      about: 'takes one out all the same that is said to be absent',
      declared: [A, { ...B, state: 'absent' }, C],
      seen: moving(
        { 'n-b': { waits: [], breaks: [DB] } },
        [nodes.a, node('b', 'worker', { tasks: 3, availability: 'pause' }), nodes.c],
        { 'n-b': [DB] },
      ),
      next: 'drain b: it is declared absent; away until it is back, since their volumes are there: StatefulSet/default/db',
    },
    {
      about: 'takes no server out before it is known whether something is bound to it',
      declared: [A, C],
      seen: {
        ...seen(
          ['a', 'b', 'c'].map((name) => answering(name)),
          [nodes.a, node('b', 'worker', { tasks: 3 }), nodes.c],
        ),
        pinned: 'unknown',
      },
      next: undefined,
    },
    {
      about: 'gives it tasks again where something is bound to it',
      declared: [A, C],
      seen: moving(
        { 'n-b': { waits: [], breaks: [DB] } },
        [nodes.a, node('b', 'worker', { tasks: 3, availability: 'pause' }), nodes.c],
        { 'n-b': [DB] },
      ),
      next: expect.stringMatching(
        /^activate b: it cannot be emptied: volumes of StatefulSet.default.db are there/,
      ),
    },
    {
      about: 'gives it tasks again where they have nowhere to go any more',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: moving({ 'n-b': { waits: [WEB], breaks: [] } }, [
        nodes.a,
        node('b', 'worker', { tasks: 3, availability: 'pause' }),
        node('c', 'worker', DEAD),
      ]),
      next: expect.stringMatching(
        /^activate b: it cannot be emptied: what runs there .3. has nowhere else to run/,
      ),
    },
    {
      about: 'does not drain where tasks have nowhere to go',
      declared: [A, { ...B, state: 'drain' }, C],
      seen: seen(
        [answering('a'), answering('b'), off('c')],
        [nodes.a, node('b', 'worker', { tasks: 3 }), node('c', 'worker', DEAD)],
      ),
      next: undefined,
    },
    {
      about: 'activates',
      declared: [A, B],
      seen: seen(
        [answering('a'), answering('b')],
        [nodes.a, node('b', 'worker', { availability: 'pause' })],
      ),
      next: 'activate b: it is declared active, and its availability is pause',
    },
    {
      about: 'drains first what is in no file any more',
      declared: [A, C],
      seen: seen([answering('a'), answering('b'), answering('c')], [nodes.a, nodes.b, nodes.c]),
      next: 'drain b: it is in no file any more',
    },
    {
      about: 'waits until what ran there runs elsewhere',
      declared: [A, C],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [nodes.a, drained('b', 'worker', NOW - 1_000), nodes.c],
        1,
      ),
      next: undefined,
    },
    {
      about: 'has it leave then',
      declared: [A, C],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [nodes.a, drained('b', 'worker', NOW - 1_000), nodes.c],
      ),
      next: 'leave b: it is in no file any more',
    },
    {
      about: 'has it leave in the end also where tasks stay',
      declared: [A, C],
      seen: seen(
        [answering('a'), answering('b'), answering('c')],
        [nodes.a, { ...drained('b', 'worker', NOW - DRAIN_MS), tasks: 1 }, nodes.c],
      ),
      next: 'leave b: it is in no file any more, and its tasks had their time to move',
    },
    {
      about: 'waits for a live one whose Docker does not answer, so that it can be told to leave',
      declared: [A, C],
      seen: seen(
        [answering('a'), off('b'), answering('c')],
        [nodes.a, drained('b', 'worker', NOW - 1_000), nodes.c],
      ),
      next: undefined,
    },
    {
      about: 'removes it in the end where that goes on not answering',
      declared: [A, C],
      seen: seen(
        [answering('a'), off('b'), answering('c')],
        [nodes.a, drained('b', 'worker', NOW - DRAIN_MS), nodes.c],
      ),
      next: 'remove b: it is in no file any more, and its Docker cannot be told to leave',
    },
    {
      about: 'removes what has left',
      declared: [A, C],
      seen: seen(
        [answering('a'), fresh('b'), answering('c')],
        [nodes.a, { ...drained('b', 'worker', NOW - 1_000), ...DEAD }, nodes.c],
      ),
      next: 'remove b: it is in no file any more, and it is dead',
    },
    {
      about: 'removes what is dead without asking it',
      declared: [A, C],
      seen: seen(
        [answering('a'), off('b'), answering('c')],
        [nodes.a, node('b', 'worker', DEAD), nodes.c],
      ),
      next: 'remove b: it is in no file any more, and it is dead',
    },
    {
      about: 'demotes a dead manager before it is removed',
      declared: [A, server('b', 'manager'), server('d', 'manager')],
      seen: seen(
        [answering('a'), answering('b'), off('c'), fresh('d')],
        [nodes.a, node('b', 'manager'), node('c', 'manager', LOST)],
      ),
      next: 'demote c: it is in no file any more, and it is dead',
    },
    {
      about: 'has one that was removed while it was away forget it',
      declared: [A, B],
      seen: seen([answering('a'), answering('b', { membership: 'joining' })], [nodes.a]),
      next: 'clean b: it came back after it was removed: the swarm does not know its node any more',
    },
    {
      about: 'leaves one alone that merely was away',
      declared: [A, B],
      seen: seen([answering('a'), answering('b')], [nodes.a, nodes.b]),
      next: undefined,
    },
    {
      about: 'removes the old node of a machine that is new under the name',
      declared: [A, B],
      seen: seen([answering('a'), fresh('b')], [nodes.a, node('b', 'worker', DEAD)]),
      next: 'remove b: its server is another one now, and it is dead',
    },
    {
      about: 'keeps the last manager',
      declared: [server('a', 'worker'), server('b', 'manager')],
      seen: seen(
        [answering('a'), off('b')],
        [
          node('a', 'manager', {
            labels: { ...nodes.b.labels, [SERVER_LABEL]: 'a', [REACH_LABEL]: 'unix:///a' },
          }),
        ],
      ),
      next: undefined,
    },
    {
      about: 'does not take the manager without which there is no quorum',
      declared: [A, server('b', 'worker')],
      seen: seen(
        [answering('a'), answering('b'), off('c')],
        [
          nodes.a,
          node('b', 'manager', { labels: nodes.b.labels }),
          node('c', 'manager', { raft: { isLeader: false, isReachable: false }, state: 'unknown' }),
        ],
      ),
      next: undefined,
    },
    {
      about: 'does nothing without quorum',
      declared: THREE,
      seen: seen(
        [answering('a'), off('b'), off('c')],
        [nodes.a, node('b', 'manager', LOST), node('c', 'manager', LOST)],
      ),
      next: undefined,
    },
  ];

const problems: { about: string; declared: DeclaredServer[]; seen: Seen; message: RegExp }[] = [
  {
    about: 'tells why a server is not reached, where that was told',
    declared: [A, B, C],
    seen: seen(
      [answering('a'), answering('b'), { name: 'c', problem: 'its host key is not known' }],
      [nodes.a, nodes.b, nodes.c],
    ),
    message: /^not reached: its host key is not known$/,
  },
  {
    about: 'tells of a kernel that cannot encrypt what is to be encrypted',
    declared: [A, B, C],
    seen: seen(
      [answering('a'), { ...answering('b'), lacksEsp: true }, answering('c')],
      [nodes.a, nodes.b, nodes.c],
    ),
    message: /^its kernel has no ESP: /,
  },
  {
    about: 'tells no more of one that does not answer, which may pass',
    declared: [A, B, C],
    seen: seen([answering('a'), answering('b'), off('c')], [nodes.a, nodes.b, nodes.c]),
    message: /^its Docker does not answer$/,
  },
  {
    about: 'leaves a manager that is locked as it is, and says how to unlock it',
    declared: [...THREE, server('d', 'worker')],
    seen: seen(
      [answering('a'), answering('b'), locked('c'), answering('d')],
      [nodes.a, node('b', 'manager'), node('c', 'manager', LOST), node('d', 'worker')],
    ),
    message: /^its Docker was started anew and its swarm is locked: docker swarm unlock/,
  },
  {
    about: 'says that quorum is lost',
    declared: THREE,
    seen: seen(
      [answering('a'), off('b'), off('c')],
      [nodes.a, node('b', 'manager', LOST), node('c', 'manager', LOST)],
    ),
    message:
      /quorum is lost: 1 of 3 managers answer, 2 are needed.*Bring b, c back.*windlass servers recover/,
  },
  {
    about: 'says so too where no manager can tell of the swarm',
    declared: THREE,
    seen: seen([
      answering('a', { isManager: true, managers: ['n-a', 'n-b', 'n-c'] }),
      off('b'),
      off('c'),
    ]),
    message: /quorum is lost: 1 of 3 managers answer, 2 are needed/,
  },
  {
    about: 'tells an election from that',
    declared: THREE,
    seen: seen([
      answering('a', { isManager: true, managers: ['n-a', 'n-b', 'n-c'] }),
      answering('b', { isManager: true, managers: ['n-a', 'n-b', 'n-c'] }),
      off('c'),
    ]),
    message: /no leader at present/,
  },
  {
    about: 'says where no manager answers',
    declared: [A, B],
    seen: seen([off('a'), answering('b')]),
    message: /none of the swarm's managers answers/,
  },
  {
    about: 'tells of two names for one server',
    declared: [A, B, C],
    seen: seen(
      [answering('a'), answering('b'), { ...answering('a'), name: 'c' }],
      [nodes.a, nodes.b],
    ),
    message: /^its Docker is that of a: a server has one name/,
  },
  {
    about: 'tells of a swarm of somebody else',
    declared: [A],
    seen: seen([answering('a', { swarm: { isOurs: false, generation: 0 } })]),
    message: /it is in a swarm that is not of this cluster/,
  },
  {
    about: 'tells of a server that is in another swarm',
    declared: [A, B],
    seen: seen([answering('a'), answering('b', { managers: ['other'] })], [nodes.a]),
    message: /it is in a swarm that is not of this cluster/,
  },
  {
    about: 'tells of a node that nobody declared',
    declared: [A, B],
    seen: seen(
      [answering('a'), answering('b')],
      [nodes.a, nodes.b, node('x', 'worker', { labels: {} })],
    ),
    message: /node n-x \(x\) is in the swarm and no server of the file: it is left alone/,
  },
  {
    about: 'tells of an address that cannot be changed',
    declared: [A, { ...B, advertise: '10.1.1.1' }],
    seen: seen([answering('a'), answering('b')], [nodes.a, nodes.b]),
    message: /it advertises 10.0.0.b in the swarm, not 10.1.1.1/,
  },
];

describe('decideServers', () => {
  it.each(steps)('$about', ({ declared, seen: world, next }) => {
    const step = nextStep(decideServers(declared, world));
    expect(step && `${step.kind} ${step.server}: ${step.reason}`).toEqual(next);
  });

  it.each(problems)('$about', ({ declared, seen: world, message }) => {
    const decision = decideServers(declared, world);
    expect(decision.problems.map((problem) => problem.message)).toContainEqual(
      expect.stringMatching(message),
    );
    expect(decision.steps).toEqual([]);
  });

  it.each([
    {
      about: 'quorum',
      declared: [A, server('b', 'worker')],
      world: seen(
        [answering('a'), answering('b'), off('c')],
        [
          nodes.a,
          node('b', 'manager', { labels: nodes.b.labels }),
          node('c', 'manager', { raft: { isLeader: false, isReachable: false }, state: 'unknown' }),
        ],
      ),
      held: 'quorum would be lost: too few of the other managers answer',
    },
    {
      about: 'fewer managers than declared',
      declared: [A, B, C, server('d', 'manager'), server('e', 'manager')],
      world: seen(
        [answering('a'), answering('b'), answering('c'), off('d'), off('e')],
        [nodes.a, node('b', 'manager', { labels: nodes.b.labels }), nodes.c],
      ),
      held: 'd, e must be a manager first, so that there are never fewer than declared',
    },
    {
      about: 'room for what runs',
      declared: [A, { ...B, state: 'drain' as const }],
      world: seen([answering('a'), answering('b')], [nodes.a, node('b', 'worker', { tasks: 2 })]),
      held: 'what runs there (2) has nowhere else to run: no other server takes applications',
    },
  ])('holds a step back for $about, and says so', ({ declared, world, held }) => {
    expect(decideServers(declared, world).steps.map((step) => step.held)).toContain(held);
  });
});

/** All of the three answer, and it is known what leaves servers, by their nodes. */
function moving(
  leaving: Readonly<Record<string, LeavingNode>>,
  nodes: readonly SeenNode[],
  pinned: Readonly<Record<string, readonly string[]>> = {},
): Seen {
  const servers = ['a', 'b', 'c'].map((name) => answering(name));
  return {
    ...seen(servers, nodes),
    leaving: new Map(Object.entries(leaving)),
    pinned: new Map(Object.entries(pinned)),
  };
}

function drained(name: string, role: Role, at: number): SeenNode {
  const plain = node(name, role);
  return {
    ...plain,
    availability: 'drain',
    labels: { ...plain.labels, [DRAINED_LABEL]: String(at) },
  };
}
