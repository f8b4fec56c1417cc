import { UserError } from '#core/errors.ts';
import { SETTLE_MS } from './decide-servers.ts';
import { SERVER_LABEL } from './labels.ts';
import { consensusOf, countManagers } from './quorum.ts';
import type { DeclaredServer, Seen } from './seen.ts';

/** What a recovery would do. */
export interface Recovery {
  from: DeclaredServer;
  /** For a person, a line each. */
  does: readonly string[];
}

/**
 * A swarm that has lost its quorum goes on with the one manager named, as that knows it.
 * @throws UserError where it has not, where that is not certain yet, or the server cannot be what it goes on with
 */
export function planRecovery(
  declared: readonly DeclaredServer[],
  seen: Seen,
  name: string,
): Recovery {
  const from = declared.find((server) => server.name === name && server.state !== 'absent');
  if (from === undefined)
    throw new UserError('not-found', `there is no server ${name} in the cluster's file`);
  if (seen.swarm !== undefined && consensusOf(seen.swarm.nodes).hasQuorum)
    throw new UserError('conflict', 'the swarm has its quorum: there is nothing to recover', {
      hint: 'change the file: servers are added and removed by it',
    });
  const trouble = whyItMayPass(seen);
  if (trouble !== undefined)
    throw new UserError('unavailable', trouble, {
      transient: true,
      hint: 'ask again in a minute: windlass servers',
    });
  const engine = seen.servers.find((server) => server.name === name)?.engine;
  if (engine === undefined)
    throw new UserError('unavailable', `Docker on ${name} does not answer`, { transient: true });
  if (!engine.isManager || engine.swarm?.isOurs === false) {
    const others = seen.servers
      .filter((server) => server.engine?.isManager === true)
      .map((server) => server.name);
    throw new UserError('invalid-input', `${name} is no manager of the cluster's swarm`, {
      hint:
        others.length === 0 ? 'no manager answers' : `managers that answer: ${others.join(', ')}`,
    });
  }
  const left = seen.servers
    .filter((server) => server.name !== name && server.engine?.isManager === true)
    .map((server) => server.name);
  const { answer, all } = countManagers(seen.servers);
  const unseen = unseenManagers(declared, seen, name);
  return {
    from,
    does: [
      `${name} becomes the only manager of the swarm, with all services, networks, secrets and nodes that it knows of (docker swarm init --force-new-cluster)`,
      ...(seen.swarm === undefined && answer * 2 > all
        ? [
            `${answer} of ${all} managers answer, which is a majority, and choose no leader: it may be that they do not reach each other (port 2377), which can be mended and loses nothing`,
          ]
        : []),
      'what the lost managers agreed on and it had not heard of yet is lost',
      'workers and what runs on them go on, and turn to it',
      'autolock, where it was on, is off then (docker swarm update --autolock=true)',
      ...(left.length === 0
        ? []
        : [`${left.join(', ')} answers too, and is taken out of the old swarm and into this one`]),
      'lost managers that come back are taken in anew, as the file says',
      ...(unseen.length === 0
        ? []
        : [
            `${unseen.join(', ')} cannot be asked from here. Where they are not off but cut off, they may still be a majority: they go on with the old swarm, change it and serve beside the new one, until they are reached again and lose what they did. Make sure first that they are off`,
          ]),
    ],
  };
}

/** A swarm that nobody told of may have its quorum all the same: what it holds would be lost for nothing. */
function whyItMayPass({ swarm, servers, now }: Seen): string | undefined {
  if (swarm !== undefined) return undefined;
  if (servers.some(({ engine }) => engine?.isManager === true && engine.swarm?.isOurs === true))
    return 'the swarm has a leader, which did not tell of its nodes in time';
  const { answer, all } = countManagers(servers);
  const watched = servers.flatMap(({ engine }) => (engine?.isManager === true ? [engine] : []));
  const isNew = watched.some(({ since }) => now - since < SETTLE_MS);
  if (answer * 2 <= all || !isNew) return undefined;
  return `${answer} of ${all} managers answer, which is a majority: they may be choosing a leader`;
}

/** Managers by the file, and those that the swarm had, whose Docker does not answer. */
function unseenManagers(
  declared: readonly DeclaredServer[],
  { servers, swarm }: Seen,
  from: string,
): string[] {
  const answering = servers.filter(({ engine }) => engine !== undefined);
  const nodes = new Set(answering.flatMap(({ engine }) => engine?.nodeId ?? []));
  const had = (swarm?.nodes ?? [])
    .filter(({ raft, id }) => raft !== undefined && !nodes.has(id))
    .map(({ labels, hostname }) => labels[SERVER_LABEL] ?? hostname);
  const silent = declared
    .filter(({ role, state }) => role === 'manager' && state !== 'absent')
    .map((server) => server.name)
    .filter((name) => !answering.some((server) => server.name === name));
  return [...new Set([...had, ...silent])].filter((name) => name !== from).toSorted();
}
