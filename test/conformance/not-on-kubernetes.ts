const INGRESS =
  'which Ingress controller a cluster has, and what annotations mean to it, is its own';
const METRICS = 'the scaling is Kubernetes’ own, and needs a metrics server';

/** Behaviours that are not tried on Kubernetes clusters, and why. */
export const NOT_ON_KUBERNETES: Readonly<Record<string, string>> = {
  'claim-fs-group':
    'a local volume, which the node that was tried has, kept the group that it was given first',
  'host-ports': 'server-side apply takes each port of a container once for a protocol',
  'hpa-behavior': METRICS,
  'hpa-cpu': METRICS,
  'hpa-memory': METRICS,
  'ingress-auth': INGRESS,
  'ingress-canary': INGRESS,
  'ingress-defaults': INGRESS,
  'ingress-grpc': INGRESS,
  'ingress-proxying': INGRESS,
  'ingress-rewrite': INGRESS,
  'ingress-routes': INGRESS,
  'ingress-rules': INGRESS,
  'ingress-tls': INGRESS,
  'ingress-websocket': INGRESS,
  'out-of-memory':
    'with cgroup v1, as on the node that was tried, a child of the container is killed, and the reason is Error',
  'pod-fails': 'of several Pods that have failed another one is told',
  'service-load-balancer': 'which load balancer a cluster has is its own',
  'stop-signal':
    'the node that was tried, with containerd 2.1, did not send the signal that the container says',
  'storage-class': 'its classes are of volume drivers of Docker',
  'termination-message':
    'of several Pods that have failed another one is told, and the end of a log is cut at another place',
};
