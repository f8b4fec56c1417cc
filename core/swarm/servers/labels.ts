/** Labels of nodes that Windlass sets; beside them a node has those that its server declares, and no others. */
/** The name of the server. Swarm's constraints take no slash in the name of a label. */
export const SERVER_LABEL = 'windlass.server';
export const ROLE_LABEL = 'windlass.dev/role';
/**
 * `true` where applications may run: on workers, and on managers while there are no workers. A label and not
 * availability, so that what belongs on every node may run on managers; and a node has none before it is known here.
 */
export const APPLICATIONS_LABEL = 'windlass.applications';
/** How its Docker is reached, of a server that is in no file any more. */
export const REACH_LABEL = 'windlass.dev/reach';
/** Milliseconds since the epoch, on a node that is emptied for good. */
export const DRAINED_LABEL = 'windlass.dev/drained-at';

/** Labels of the swarm itself, one for each server that was dead when it was taken out, by its name: see `leftServers`. */
export const LEFT_PREFIX = 'windlass.dev/left.';

/** Labels of the swarm itself: whose it is, and how often it was recovered from a lost quorum. */
export const CLUSTER_LABEL = 'windlass.dev/cluster';
export const GENERATION_LABEL = 'windlass.dev/generation';
