import type { Container, Probe as DeclaredProbe } from '#core/docker/kinds.ts';
import type { HttpGet } from '#core/docker/kinds-actions.ts';
import type { Action, Probe, Probes } from '#core/docker/world.ts';

type HttpAction = Extract<Action, { kind: 'http' }>;

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
  const { host, port } = tcpSocket ?? { host: undefined, port: 0 };
  if (httpGet !== undefined) return httpAction(httpGet, container);
  return { kind: 'tcp', ...(host === undefined ? {} : { host }), port: portOf(port, container) };
}

export function httpAction(
  { host, port, path, scheme, httpHeaders }: HttpGet,
  container: Pick<Container, 'ports'>,
): HttpAction {
  return {
    kind: 'http',
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    ...(host === undefined ? {} : { host }),
    port: portOf(port, container),
    path,
    headers: Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value])),
  };
}

function portOf(port: number | string, { ports }: Pick<Container, 'ports'>): number {
  if (typeof port === 'number') return port;
  return ports.find(({ name }) => name === port)?.containerPort ?? 0;
}
