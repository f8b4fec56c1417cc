import type { Container, Probe as DeclaredProbe } from '#core/docker/kinds.ts';
import type { Action, Probe, Probes } from '#core/docker/world.ts';

/** The container's probes, with named ports resolved. */
export function probesOf(container: Container): Probes {
  const { startupProbe, readinessProbe, livenessProbe } = container;
  return {
    ...(startupProbe === undefined ? {} : { startup: probeOf(startupProbe, container) }),
    ...(readinessProbe === undefined ? {} : { readiness: probeOf(readinessProbe, container) }),
    ...(livenessProbe === undefined ? {} : { liveness: probeOf(livenessProbe, container) }),
  };
}

function probeOf(declared: DeclaredProbe, container: Container): Probe {
  const { httpGet, tcpSocket, exec, grpc, ...timing } = declared;
  const { initialDelaySeconds, periodSeconds, timeoutSeconds } = timing;
  const { successThreshold, failureThreshold } = timing;
  const grace =
    'terminationGracePeriodSeconds' in timing ? timing.terminationGracePeriodSeconds : undefined;
  return {
    action: actionOf({ httpGet, tcpSocket, exec, grpc }, container),
    initialDelaySeconds,
    periodSeconds,
    timeoutSeconds,
    successThreshold,
    failureThreshold,
    ...(grace === undefined ? {} : { graceSeconds: grace }),
  };
}

function actionOf(
  {
    httpGet,
    tcpSocket,
    exec,
    grpc,
  }: Pick<DeclaredProbe, 'httpGet' | 'tcpSocket' | 'exec' | 'grpc'>,
  container: Container,
): Action {
  if (exec !== undefined) return { kind: 'exec', command: exec.command };
  if (grpc !== undefined) return { kind: 'grpc', port: grpc.port, service: grpc.service };
  const { host, port } = httpGet ?? tcpSocket ?? { host: undefined, port: 0 };
  const place = { ...(host === undefined ? {} : { host }), port: portOf(port, container) };
  if (httpGet === undefined) return { kind: 'tcp', ...place };
  return {
    kind: 'http',
    scheme: httpGet.scheme === 'HTTPS' ? 'https' : 'http',
    ...place,
    path: httpGet.path,
    headers: Object.fromEntries(httpGet.httpHeaders.map(({ name, value }) => [name, value])),
  };
}

function portOf(port: number | string, { ports }: Container): number {
  if (typeof port === 'number') return port;
  return ports.find(({ name }) => name === port)?.containerPort ?? 0;
}
