import type { LivePod } from '#core/docker/world.ts';

/** The pod `<app>-<number>` at 10.88.0.<number>, of the Deployment of that name. */
export function readyPod(app: string, number: number): LivePod {
  const container = {
    id: 'c',
    state: 'running' as const,
    startedAt: 0,
    finishedAt: 0,
    exitCode: 0,
    oomKilled: false,
    restarts: 0,
    drift: [],
    joined: true,
  };
  return {
    name: `${app}-${number}`,
    namespace: 'default',
    keeper: `Deployment/default/${app}`,
    owner: 'o',
    labels: { app },
    templateHash: '',
    graceSeconds: 0,
    createdAt: 0,
    ip: `10.88.0.${number}`,
    sandbox: container,
    containers: { [app]: container },
    volumeHashes: {},
    probes: {},
    ports: {},
    hostPorts: [],
  };
}
