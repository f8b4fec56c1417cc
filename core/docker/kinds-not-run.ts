const ELSEWHERE = 'a Service leads to pods; what is elsewhere has a name, by type: ExternalName';

const VOLUMES =
  'a PersistentVolumeClaim has a volume of its own; what the host mounts is named in a hostPath';

/** Kinds of Kubernetes that the docker engine cannot run as Kubernetes means them, and why. */
export const KINDS_NOT_RUN: ReadonlyMap<string, string> = new Map([
  [
    'NetworkPolicy',
    'what asks a Service comes to its pods from a proxy, so whom a policy would let in cannot be told',
  ],
  ['PersistentVolume', VOLUMES],
  ['Endpoints', ELSEWHERE],
  ['EndpointSlice', ELSEWHERE],
]);
