import type { LiveContainer, LivePod } from '#core/docker/world.ts';
import { hasEnded, isReady } from '#core/swarm/task-words.ts';
import type { LiveTask } from '#core/swarm/world.ts';

/** Tasks as pods that traffic may go to: Swarm's ends at once where it no longer wants them. */
export function podsOfTasks(tasks: readonly LiveTask[]): LivePod[] {
  return tasks.filter((task) => !hasEnded(task)).map(podOf);
}

/** The pod that a service of one task is: the newest of its tasks that has not ended, or none yet. */
export function podOfService(
  name: string,
  templateHash: string,
  tasks: readonly LiveTask[],
): LivePod {
  const alive = tasks.filter((task) => !hasEnded(task));
  const newest = alive.toSorted((one, other) => other.createdAt - one.createdAt);
  const [task] = [...newest.filter(isReady), ...newest];
  return { ...(task === undefined ? NOT_MADE : podOf(task)), name, templateHash };
}

const NO_CONTAINER: LiveContainer = {
  id: '',
  state: 'created',
  startedAt: 0,
  finishedAt: 0,
  exitCode: 0,
  oomKilled: false,
  restarts: 0,
  drift: [],
  joined: true,
};
const NOT_MADE: LivePod = {
  name: '',
  namespace: '',
  keeper: '',
  owner: '',
  labels: {},
  templateHash: '',
  graceSeconds: 0,
  createdAt: 0,
  sandbox: NO_CONTAINER,
  containers: {},
  volumeHashes: {},
  probes: {},
  ports: {},
  hostPorts: [],
};

function podOf(task: LiveTask): LivePod {
  const { namespace, container: name, keeper, owner, labels, ports, published } = task.pod;
  const container: LiveContainer = {
    ...NO_CONTAINER,
    id: task.id,
    state: task.state === 'running' ? 'running' : 'created',
    startedAt: task.at,
  };
  const { readiness } = task;
  return {
    name: task.name,
    namespace,
    keeper,
    owner,
    labels,
    templateHash: task.templateHash,
    graceSeconds: 0,
    createdAt: task.createdAt,
    ...(task.ip === undefined ? {} : { ip: task.ip }),
    sandbox: container,
    containers: { [name]: container },
    volumeHashes: {},
    probes:
      readiness === undefined ? {} : { [name]: { readiness: { ...readiness, since: task.at } } },
    ports,
    ...(published === undefined ? {} : { published }),
    hostPorts: [],
    ...(task.desired === 'running' || task.desired === 'complete'
      ? {}
      : { deletingSince: task.at }),
  };
}
