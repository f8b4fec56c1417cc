import { displayKey } from '#core/present/display.ts';
import { APPLICATIONS_LABEL, DRAINED_LABEL } from './labels.ts';
import { labelsFor } from './labels-for.ts';
import { match } from './match.ts';
import type { Member } from './match.ts';
import { canLose, consensusOf, countManagers } from './quorum.ts';
import type {
  DeclaredServer,
  LeavingNode,
  Seen,
  SeenEngine,
  SeenNode,
  SeenServer,
  SeenSwarm,
} from './seen.ts';
import type { PendingStep } from './step.ts';

/** How long a server that is to go is given to have its tasks run elsewhere. */
export const DRAIN_MS = 300_000;
/** How long a server that takes no new tasks is not drained, since proxies lead there still. */
export const LED_MS = 2 * DRAIN_MS;
/** How long a join that was begun may take before it is undone. */
export const SETTLE_MS = 60_000;

/** What is not as declared, and no step will change by itself. */
interface ServerProblem {
  /** Absent where it is of the cluster as a whole. */
  server?: string;
  kind:
    | 'no-quorum'
    | 'no-leader'
    | 'foreign'
    | 'doubled'
    | 'unreachable'
    | 'undeclared'
    | 'locked'
    | 'stuck'
    | 'no-esp';
  message: string;
}

export interface Decision {
  /** In their order. The first that is not held is the next; after it the servers are looked at again. */
  steps: readonly PendingStep[];
  /** What goes on by itself, by server. */
  waiting: readonly { server: string; reason: string }[];
  problems: readonly ServerProblem[];
}

/**
 * What is to be done so that the servers are as declared. INVARIANTS, whatever is seen:
 * - No step leaves the managers that answer without a majority of those that count, or without any.
 * - No server is emptied while what runs there has no other place, nor while proxies lead to what also runs elsewhere.
 * - A server is told to forget its swarm only when that has forgotten it.
 */
export function decideServers(declared: readonly DeclaredServer[], seen: Seen): Decision {
  const decision = decide(declared, seen);
  return { ...decision, problems: [...decision.problems, ...withoutEsp(declared, seen)] };
}

function decide(declared: readonly DeclaredServer[], seen: Seen): Decision {
  const { swarm } = seen;
  if (swarm === undefined) return begin(declared, seen);
  const consensus = consensusOf(swarm.nodes);
  if (!consensus.hasQuorum) {
    const problems = [lostQuorum(swarm), ...lockedAmong(seen.servers)];
    return { steps: [], waiting: [], problems };
  }
  const { members, strangers } = match(declared, seen.servers, swarm.nodes);
  const all = members.map((member) => stepsOf(member, { declared, seen, swarm, members }));
  return {
    steps: all.flatMap(({ steps }) => steps).toSorted((a, b) => orderOf(a) - orderOf(b)),
    waiting: all.flatMap(({ waiting }) => waiting),
    problems: [
      ...all.flatMap(({ problems }) => problems),
      ...strangers.map(({ id, hostname }): ServerProblem => ({
        kind: 'undeclared',
        message: `node ${id} (${hostname}) is in the swarm and no server of the file: it is left alone`,
      })),
    ],
  };
}

/** The step that can be done now, beside those that were tried in vain. */
export function nextStep(
  { steps }: Decision,
  failed: ReadonlySet<string> = new Set(),
): PendingStep | undefined {
  return steps.find((step) => step.held === undefined && !failed.has(keyOf(step)));
}

export function keyOf({ kind, server }: PendingStep): string {
  return `${kind} ${server}`;
}

interface Context {
  declared: readonly DeclaredServer[];
  seen: Seen;
  swarm: SeenSwarm;
  members: readonly Member[];
}

interface Part {
  steps: PendingStep[];
  waiting: { server: string; reason: string }[];
  problems: ServerProblem[];
}

/** Without a manager that tells of a swarm there is none, or it has no leader. */
function begin(declared: readonly DeclaredServer[], { servers }: Seen): Decision {
  const inside = servers.filter(
    ({ engine }) => engine !== undefined && engine.membership !== 'out',
  );
  const strange = inside.filter(({ engine }) => engine?.swarm?.isOurs === false);
  if (strange.length > 0) {
    return { steps: [], waiting: [], problems: strange.map(({ name }) => foreign(name)) };
  }
  if (inside.length > 0) {
    const problems = [leaderless(servers), ...lockedAmong(servers)];
    return { steps: [], waiting: [], problems };
  }
  const silent = declared.filter(({ name }) => engineOf(servers, name) === undefined);
  const first = declared.find(({ role, state }) => role === 'manager' && state !== 'absent');
  if (first === undefined) return { steps: [], waiting: [], problems: [] };
  const held =
    silent.length === 0
      ? {}
      : { held: `${names(silent)} must answer first: a swarm of this cluster may be there` };
  const step: PendingStep = {
    kind: 'init',
    server: first.name,
    declared: first,
    reason: 'no server is in a swarm yet, and it is the first manager declared',
    ...held,
  };
  const others = declared.filter(
    ({ name, state }) =>
      name !== first.name && state !== 'absent' && engineOf(servers, name) !== undefined,
  );
  const joins = others.map((server): PendingStep => ({
    kind: 'join',
    server: server.name,
    declared: server,
    reason: 'it is declared and in no swarm',
    held: `${first.name} must have begun the swarm first`,
  }));
  return {
    steps: [step, ...joins],
    waiting: [],
    problems: silent.map(({ name }) => unreachable(name, servers)),
  };
}

function stepsOf(member: Member, context: Context): Part {
  const part: Part = { steps: [], waiting: [], problems: [] };
  const { name, declared, node, engine, leftovers } = member;
  if (declared !== undefined && engine === undefined && declared.state !== 'absent')
    part.problems.push(unreachable(name, context.seen.servers));
  if (engine?.membership === 'locked') {
    part.problems.push(locked(member));
    // It is the node that it was once it is unlocked; what it is called until then nobody knows.
    if (declared !== undefined && declared.state !== 'absent') return part;
  }
  for (const leftover of leftovers) forget(leftover, member, context, part);
  if (engine !== undefined && node === undefined) {
    if (engine.membership === 'locked') return part;
    if (engine.membership !== 'out') comeToTerms(member, context, part);
    else if (declared !== undefined && declared.state !== 'absent') {
      const held = leftovers.length > 0 ? { held: 'its old node must be gone first' } : {};
      part.steps.push({
        kind: 'join',
        server: name,
        declared,
        reason:
          leftovers.length > 0 ? 'it is new under its old name' : 'it is declared and in no swarm',
        ...held,
      });
    }
  }
  if (node === undefined) return part;
  if (engine !== undefined && isStranded(node, engine)) {
    const reason = 'it knows of no leader, and the swarm went on without it';
    if (context.seen.now - engine.since < SETTLE_MS) part.waiting.push({ server: name, reason });
    else part.steps.push({ kind: 'clean', server: name, reason });
  } else if (engine !== undefined && isPast(engine, context.swarm))
    forget(node, member, context, part);
  else if (declared === undefined || declared.state === 'absent')
    takeOut(node, member, context, part);
  else keep(node, declared, member, context, part);
  return part;
}

/** It cannot be the node that it was: broken, or of the time before a recovery that it had no part in. */
function isPast({ membership, swarm }: SeenEngine, { generation }: SeenSwarm): boolean {
  return membership === 'broken' || (swarm?.isOurs === true && swarm.generation < generation);
}

/**
 * A manager of before a recovery, whose swarm does not count it among its managers, while it waits for a leader of those
 * that it knows. Mostly it is told that it is none any more, and becomes one anew; where nobody tells it, it waits without
 * end.
 */
function isStranded(
  { role, raft }: SeenNode,
  { isManager, membership, swarm }: SeenEngine,
): boolean {
  const isInside = membership === 'in' || membership === 'joining';
  return role === 'manager' && raft === undefined && isInside && isManager && swarm === undefined;
}

/** It believes to be in a swarm, and is no node of ours by its name. */
function comeToTerms(
  { name, declared, engine }: Member,
  { seen, swarm, members }: Context,
  part: Part,
): void {
  if (engine === undefined) return;
  const known = new Set(swarm.nodes.map(({ id }) => id));
  if (engine.nodeId !== undefined && known.has(engine.nodeId)) {
    const other = members.find(({ node }) => node?.id === engine.nodeId);
    // Of a server that was renamed, both names are asked.
    if (declared !== undefined) part.problems.push(doubled(name, other?.name ?? engine.nodeId));
    return;
  }
  const wasOurs =
    engine.swarm === undefined
      ? engine.managers.some((id) => known.has(id))
      : engine.swarm.isOurs && engine.swarm.generation <= swarm.generation;
  const isBegun = engine.membership === 'joining' && engine.nodeId === undefined;
  if (isBegun && seen.now - engine.since < SETTLE_MS) {
    part.waiting.push({ server: name, reason: 'it is joining' });
  } else if (wasOurs || (declared !== undefined && (isBegun || engine.membership === 'broken'))) {
    part.steps.push({
      kind: 'clean',
      server: name,
      reason: isBegun
        ? 'it began to join and did not get through'
        : 'it came back after it was removed: the swarm does not know its node any more',
    });
  } else if (declared !== undefined) part.problems.push(foreign(name));
}

/** A server as it is to be. */
function keep(
  node: SeenNode,
  declared: DeclaredServer,
  { name, engine }: Member,
  context: Context,
  part: Part,
): void {
  const { members } = context;
  if (engine?.address !== undefined && engine.address !== declared.advertise) {
    part.problems.push({
      server: name,
      kind: 'stuck',
      message: `it advertises ${engine.address} in the swarm, not ${declared.advertise}: set its state to absent and, once it is out, back`,
    });
  }
  const labels = labelsFor(declared, node, members);
  if (!isSame(labels, node.labels)) {
    const isNew = Object.keys(node.labels).length === 0;
    const reason = isNew
      ? 'it has joined and is not known by its name yet'
      : difference(node, labels);
    part.steps.push({ kind: 'label', server: name, node, labels, reason });
  }
  if (declared.state === 'active' && node.availability !== 'active') {
    const reason = `it is declared active, and its availability is ${node.availability}`;
    part.steps.push({ kind: 'activate', server: name, node, reason });
  }
  if (declared.state === 'drain' && node.availability !== 'drain') {
    empty(name, node, { forGood: false, reason: 'it is declared to be drained' }, context, part);
  }
  if (declared.role === 'manager') {
    if (node.role === 'worker') {
      const isUnder = node.raft !== undefined;
      if (isUnder) part.waiting.push({ server: name, reason: 'it stops being a manager' });
      else {
        const held = node.state === 'ready' ? {} : { held: `it is ${node.state}` };
        const reason = 'it is declared a manager';
        part.steps.push({ kind: 'promote', server: name, node, reason, ...held });
      }
    } else if (node.raft === undefined && node.state === 'ready') {
      part.waiting.push({ server: name, reason: 'it becomes a manager' });
    }
  } else if (isBecoming(node)) {
    if (node.state === 'ready')
      part.waiting.push({ server: name, reason: 'it becomes a manager, and can be demoted then' });
  } else if (node.role === 'manager') {
    const reason = 'it is declared a worker';
    part.steps.push({ kind: 'demote', server: name, node, reason, ...heldDemote(node, context) });
  } else if (node.raft !== undefined) {
    part.waiting.push({ server: name, reason: 'it stops being a manager' });
  }
}

/** A server that is to go, and is a node still. */
function takeOut(node: SeenNode, member: Member, context: Context, part: Part): void {
  const { name, declared, engine } = member;
  const { seen, swarm } = context;
  const why = declared === undefined ? 'it is in no file any more' : 'it is declared absent';
  if (node.state === 'down' || node.state === 'disconnected') {
    forget(node, member, context, part, why);
    return;
  }
  if (node.state === 'unknown') {
    part.waiting.push({ server: name, reason: 'whether it is alive is not known yet' });
    return;
  }
  const common = { server: name, node };
  const drainedAt = Number(node.labels[DRAINED_LABEL]);
  if (node.availability !== 'drain' || Number.isNaN(drainedAt)) {
    const keepsVolumes = declared === undefined;
    empty(name, node, { forGood: true, keepsVolumes, reason: why }, context, part);
    return;
  }
  const isLate = seen.now - drainedAt >= DRAIN_MS;
  if (!isLate && (node.tasks > 0 || swarm.waitingTasks > 0)) {
    const left = node.tasks > 0 ? `${node.tasks} of its tasks` : `${swarm.waitingTasks} tasks`;
    part.waiting.push({ server: name, reason: `${left} do not run elsewhere yet` });
    return;
  }
  const late = isLate && node.tasks > 0 ? ', and its tasks had their time to move' : '';
  if (isBecoming(node)) {
    part.waiting.push({ server: name, reason: 'it becomes a manager, and can be demoted then' });
  } else if (node.role === 'manager') {
    const held = heldDemote(node, context);
    part.steps.push({ kind: 'demote', ...common, reason: `${why}${late}`, ...held });
  } else if (node.raft !== undefined) {
    part.waiting.push({ server: name, reason: 'it stops being a manager' });
  } else if (engine !== undefined && engine.membership !== 'out' && engine.nodeId === node.id) {
    if (engine.isManager)
      part.waiting.push({ server: name, reason: 'it has not noticed yet that it is no manager' });
    else part.steps.push({ kind: 'leave', ...common, reason: `${why}${late}` });
  } else if (engine?.membership === 'out') {
    part.waiting.push({ server: name, reason: 'it has left, which the swarm has yet to notice' });
  } else if (engine === undefined && !isLate) {
    // It is alive: removed now it would stay in a swarm that has forgotten it.
    part.waiting.push({
      server: name,
      reason: 'its Docker does not answer, and is to leave first',
    });
  } else {
    const reason = `${why}, and its Docker cannot be told to leave`;
    part.steps.push({ kind: 'remove', ...common, reason, isAway: engine === undefined });
  }
}

interface Emptying {
  /** The server is to leave. */
  forGood: boolean;
  /** It is not emptied of what runs nowhere else for its volumes. */
  keepsVolumes?: boolean;
  reason: string;
}

/** What serves there and nowhere else comes to serve elsewhere first, as far as it can. */
function empty(
  server: string,
  node: SeenNode,
  { forGood, keepsVolumes = false, reason }: Emptying,
  context: Context,
  part: Part,
): void {
  const { leaving, pinned, now } = context.seen;
  const kept = pinned === 'unknown' ? [] : (pinned?.get(node.id) ?? []);
  const { held } = keepsVolumes && kept.length > 0 ? heldByVolumes(kept) : heldDrain(node, context);
  const step = { server, node, reason };
  if (held !== undefined && node.availability === 'pause') {
    const why = `it cannot be emptied: ${held}`;
    part.steps.push({ kind: 'activate', server, node, reason: why });
    return;
  }
  const isBusy = node.availability !== 'drain' && node.state === 'ready' && node.tasks > 0;
  if (pinned === 'unknown' && keepsVolumes && held === undefined) {
    part.waiting.push({ server, reason: 'whether volumes are there is not known yet' });
    return;
  }
  if (leaving === undefined || held !== undefined || !isBusy) {
    part.steps.push({ kind: 'drain', ...step, forGood, ...(held === undefined ? {} : { held }) });
    return;
  }
  if (node.availability === 'active') {
    part.steps.push({ kind: 'pause', ...step });
    return;
  }
  const left: LeavingNode = leaving.get(node.id) ?? { waits: [], breaks: [] };
  const { waits, breaks, isLedTo } = left;
  if (!leaving.has(node.id)) part.waiting.push({ server, reason: 'it takes no new tasks' });
  else if (waits.length > 0)
    part.waiting.push({
      server,
      reason: `${waits.map(displayKey).join(', ')} come to serve elsewhere first`,
    });
  else if (isLedTo === true && now < node.changedAt + LED_MS)
    part.waiting.push({ server, reason: 'proxies are told to lead nothing there any more' });
  else {
    const moving = breaks.filter((key) => !kept.includes(key));
    const gaps = [
      ['away until Swarm has made them anew elsewhere', moving],
      ['away until it is back, since their volumes are there', kept],
    ] as const;
    const told = gaps.map(([what, keys]) =>
      keys.length === 0 ? '' : `; ${what}: ${keys.map(displayKey).join(', ')}`,
    );
    part.steps.push({ kind: 'drain', ...step, forGood, reason: `${reason}${told.join('')}` });
  }
}

/** A node that nobody is any more. */
function forget(node: SeenNode, member: Member, context: Context, part: Part, why?: string): void {
  const { name, engine } = member;
  const isGone = node.state === 'down' || node.state === 'disconnected';
  const reason = why ?? whyForgotten(node, engine);
  if (node.role === 'manager' && node.raft !== undefined) {
    const step = { server: name, node, reason: isGone ? `${reason}, and it is dead` : reason };
    part.steps.push({ kind: 'demote', ...step, ...heldDemote(node, context) });
  } else if (node.raft !== undefined) {
    part.waiting.push({ server: name, reason: 'its old node stops being a manager' });
  } else if (!isGone) {
    part.waiting.push({
      server: name,
      reason: 'the swarm has yet to notice that its old node is gone',
    });
  } else
    part.steps.push({
      kind: 'remove',
      server: name,
      node,
      reason: `${reason}, and it is dead`,
      isAway: engine === undefined,
    });
}

function whyForgotten({ id }: SeenNode, engine: SeenEngine | undefined): string {
  if (engine?.membership === 'broken') return 'it cannot take part any more';
  if (engine?.nodeId === id) return 'it is of a swarm that was given up';
  return 'its server is another one now';
}

/**
 * Called a manager, and not one of them yet, or not again after a recovery. Docker refuses to demote it; once it is there
 * it becomes one by itself.
 */
function isBecoming({ role, raft }: SeenNode): boolean {
  return role === 'manager' && raft === undefined;
}

function heldDemote(node: SeenNode, { swarm, declared, members }: Context): { held?: string } {
  const trouble = canLose(swarm.nodes, node);
  if (trouble !== undefined) return { held: trouble };
  if (node.raft?.isReachable !== true) return {};
  const wanted = declared.filter(({ role, state }) => role === 'manager' && state !== 'absent');
  const missing = wanted.filter(
    ({ name }) => members.find((member) => member.name === name)?.node?.raft === undefined,
  );
  const left = swarm.nodes.filter(({ raft }) => raft !== undefined).length - 1;
  if (missing.length === 0 || left >= wanted.length) return {};
  return {
    held: `${names(missing)} must be a manager first, so that there are never fewer than declared`,
  };
}

function heldDrain(node: SeenNode, { swarm }: Context): { held?: string } {
  if (node.tasks === 0 || node.availability === 'drain') return {};
  const others = swarm.nodes.filter(
    ({ id, state, availability, labels }) =>
      id !== node.id &&
      state === 'ready' &&
      availability === 'active' &&
      labels[APPLICATIONS_LABEL] === 'true',
  );
  return others.length > 0
    ? {}
    : {
        held: `what runs there (${node.tasks}) has nowhere else to run: no other server takes applications`,
      };
}

function heldByVolumes(keys: readonly string[]): { held: string } {
  return {
    held: `volumes of ${keys.map(displayKey).join(', ')} are there and nowhere else: remove those first, or put its line back with state: absent where they are to wait for it`,
  };
}

const ORDER: Readonly<Record<PendingStep['kind'], number>> = {
  init: 0,
  clean: 1,
  remove: 2,
  label: 3,
  activate: 4,
  join: 5,
  promote: 6,
  pause: 7,
  drain: 8,
  demote: 9,
  leave: 10,
};
const DEMOTE_DEAD = 2;

/** What brings room and safety comes before what takes it. */
function orderOf(step: PendingStep): number {
  if (step.kind === 'demote' && step.node.raft?.isReachable !== true) return DEMOTE_DEAD;
  return ORDER[step.kind];
}

function lostQuorum({ nodes }: SeenSwarm): ServerProblem {
  const { members, reachable } = consensusOf(nodes);
  const lost = members.filter(({ raft }) => raft?.isReachable !== true);
  return noQuorum(
    members.length,
    reachable.length,
    names(lost.map(({ hostname }) => ({ name: hostname }))),
  );
}

function leaderless(servers: readonly SeenServer[]): ServerProblem {
  const { answer, all } = countManagers(servers);
  if (answer === 0)
    return {
      kind: 'no-leader',
      message: "none of the swarm's managers answers: nothing can be changed until one does",
    };
  if (answer * 2 > all)
    return {
      kind: 'no-leader',
      message: 'the swarm has no leader at present: its managers choose one',
    };
  return noQuorum(all, answer, 'the others');
}

function noQuorum(all: number, left: number, lost: string): ServerProblem {
  return {
    kind: 'no-quorum',
    message: `quorum is lost: ${left} of ${all} managers answer, ${Math.floor(all / 2) + 1} are needed. What runs goes on, nothing can be changed. Bring ${lost} back; where that is impossible: windlass servers recover`,
  };
}

function foreign(server: string): ServerProblem {
  return {
    server,
    kind: 'foreign',
    message:
      'it is in a swarm that is not of this cluster: have it leave that first (docker swarm leave)',
  };
}

function doubled(server: string, other: string): ServerProblem {
  return {
    server,
    kind: 'doubled',
    message: `its Docker is that of ${other}: a server has one name, and its own docker address`,
  };
}

function lockedAmong(servers: Seen['servers']): ServerProblem[] {
  return servers.filter(({ engine }) => engine?.membership === 'locked').map(locked);
}

function locked({ name }: { name: string }): ServerProblem {
  return {
    server: name,
    kind: 'locked',
    message:
      'its Docker was started anew and its swarm is locked: docker swarm unlock there, with the key that docker swarm unlock-key tells on another manager',
  };
}

function unreachable(name: string, servers: Seen['servers']): ServerProblem {
  const why = servers.find((server) => server.name === name)?.problem;
  const message = why === undefined ? 'its Docker does not answer' : `not reached: ${why}`;
  return { server: name, kind: 'unreachable', message };
}

/** Docker encrypts by it, and says nothing where it cannot. */
function withoutEsp(declared: readonly DeclaredServer[], { servers }: Seen): ServerProblem[] {
  const wanted = new Set(
    declared.filter(({ state }) => state !== 'absent').map(({ name }) => name),
  );
  return servers
    .filter(({ name, lacksEsp }) => lacksEsp === true && wanted.has(name))
    .map(({ name }) => ({
      server: name,
      kind: 'no-esp',
      message:
        'its kernel has no ESP: by spec.network.encrypted nothing goes between it and other servers, neither encrypted nor in clear',
    }));
}

function engineOf(servers: Seen['servers'], name: string): Seen['servers'][number]['engine'] {
  return servers.find((server) => server.name === name)?.engine;
}

function names(servers: readonly { name: string }[]): string {
  return servers.map(({ name }) => name).join(', ');
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function difference({ labels: before }: SeenNode, after: Readonly<Record<string, string>>): string {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  const differing = keys.filter((key) => before[key] !== after[key]);
  return `labels differ: ${differing.join(', ')}`;
}
