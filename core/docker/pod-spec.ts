import { decodeBase64, encodeBase64 } from '#core/base64.ts';
import { expandVariables } from '#core/docker/expand.ts';
import { fieldValue, resourceValue } from '#core/docker/field-refs.ts';
import type { PodFields } from '#core/docker/field-refs.ts';
import type { ConfigMap, Container, InitContainer, Volume } from '#core/docker/kinds.ts';
import { propagationOf } from '#core/docker/propagation.ts';
import { subPathOf } from '#core/docker/sub-paths.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { ContainerSpec, PodSpec, VolumeSpec } from '#core/docker/world.ts';
import { hooksOf } from '#core/docker/lifecycle.ts';
import { probesOf } from '#core/docker/probes.ts';
import { portKey } from '#core/docker/named-ports.ts';
import { hostNameOf } from '#core/docker/host-name.ts';
import { namesOf } from '#core/docker/pod-names.ts';
import type { Source } from '#core/docker/kinds-volumes.ts';
import { hostPortsOf } from '#core/docker/host-ports.ts';
import { sharingOf } from '#core/docker/host-sharing.ts';
import { loginsFor, pullSecretsOf } from '#core/docker/pull-secrets.ts';
import { filesOf, inGroup } from '#core/docker/volume-files.ts';
import type { FileScope } from '#core/docker/volume-files.ts';
import { securityOf, sysctlsOf } from '#core/docker/security.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';

/** The part of a template's hash that pod names carry. */
const HASH_CHARACTERS = 8;
/** Where Kubernetes has it unless a container says so; no default of the schema, so that no pod is made anew for it. */
const TERMINATION_LOG = '/dev/termination-log';

/** Changes exactly when what a container can observe of its template does; of a Job, when it is another run. */
export function templateHash(workload: Workload): string {
  const { cron, job = cron?.job, of, spec } = workload;
  if (of !== undefined) return of.hash;
  const run = job === undefined ? {} : { completions: job.completions, indexed: job.indexed };
  const made = job === undefined ? spec.template : { ...spec.template, ...run };
  return contentHash(made).slice(0, HASH_CHARACTERS);
}

export function podName(workload: Workload, slot: number): string {
  if (workload.kind === 'Pod') return workload.metadata.name;
  return `${workload.metadata.name}-${templateHash(workload)}-${slot}`;
}

function namespaceOfWorkload(workload: Workload): string {
  return workload.metadata.namespace ?? 'default';
}

export function keeperOf(workload: Workload): string {
  const { kind, metadata, of } = workload;
  return of?.keeper ?? `${kind}/${namespaceOfWorkload(workload)}/${metadata.name}`;
}

/** A pod of the workload with every ConfigMap and Secret reference resolved. */
export function podSpec(
  workload: Workload,
  name: string,
  owner: OwnerKey,
  workloads: Workloads,
): PodSpec {
  const namespace = namespaceOfWorkload(workload);
  const { metadata, spec } = workload.spec.template;
  // ConfigMaps and Secrets are never written to by containers, as in Kubernetes.
  const readOnly = new Set(
    spec.volumes
      .filter(
        ({ emptyDir, hostPath, persistentVolumeClaim: claim }) =>
          emptyDir === undefined && hostPath === undefined && claim?.readOnly !== false,
      )
      .map((volume) => volume.name),
  );
  const fields = { ...metadata, name, namespace };
  const { initContainers = [] } = spec;
  const fsGroup = spec.securityContext?.fsGroup;
  const pullSecrets = pullSecretsOf(workload, workloads);
  const all: InitContainer[] = [...initContainers, ...spec.containers];
  const scope: FileScope = {
    pod: fields,
    containers: all,
    contentOf: (kind, source) =>
      kind === 'ConfigMap'
        ? configContent(workloads.configMaps.get(`${namespace}/${source}`))
        : (workloads.secrets.get(`${namespace}/${source}`)?.data ?? {}),
  };
  return {
    name,
    namespace,
    keeper: keeperOf(workload),
    owner,
    labels: metadata.labels,
    templateHash: templateHash(workload),
    ports: Object.fromEntries(
      all.flatMap(({ ports }) =>
        ports.flatMap((port) =>
          port.name === undefined ? [] : [[portKey(port.name, port.protocol), port.containerPort]],
        ),
      ),
    ),
    containers: all.map((container, order) => ({
      ...containerSpec(container, readOnly, fields, all, workloads),
      logins: loginsFor(container.image, pullSecrets),
      security: securityOf(spec.securityContext, container.securityContext),
      ...(order < initContainers.length
        ? { init: { order, sidecar: container.restartPolicy === 'Always' } }
        : {}),
    })),
    volumes: spec.volumes.map((volume) => volumeSpec(volume, scope, fsGroup)),
    ...(fsGroup === undefined ? {} : { fsGroup }),
    ...(spec.securityContext?.fsGroupChangePolicy === 'OnRootMismatch'
      ? { fsGroupOnMismatch: true as const }
      : {}),
    sysctls: sysctlsOf(spec.securityContext),
    names: namesOf(spec, namespace),
    hostName: hostNameOf(spec, name, namespace),
    sharing: sharingOf(spec),
    hostPorts: hostPortsOf(spec),
    graceSeconds: spec.terminationGracePeriodSeconds,
    restartPolicy: spec.restartPolicy,
    ...(spec.activeDeadlineSeconds === undefined
      ? {}
      : { activeSeconds: spec.activeDeadlineSeconds }),
  };
}

function containerSpec(
  container: Container,
  readOnly: ReadonlySet<string>,
  pod: PodFields,
  containers: readonly Container[],
  workloads: Workloads,
): Omit<ContainerSpec, 'security' | 'logins'> {
  const env = environment(container, pod, containers, workloads);
  const { command, workingDir, resources } = container;
  const { limits = {}, requests = {} } = resources ?? {};
  return {
    name: container.name,
    image: container.image,
    pullPolicy: container.imagePullPolicy ?? defaultPullPolicy(container.image),
    ...(command === undefined ? {} : { command: expandAll(command, env) }),
    ...argsOf(container, env),
    ...(workingDir === undefined ? {} : { workingDir }),
    env,
    mounts: container.volumeMounts.map((mount) => ({
      volume: mount.name,
      path: mount.mountPath,
      readOnly: mount.readOnly || readOnly.has(mount.name),
      ...subPathOf(mount, env),
      ...propagationOf(mount),
    })),
    ...(limits.cpu === undefined ? {} : { nanoCpus: Math.round(limits.cpu * 1e9) }),
    ...cpuShares(requests.cpu ?? limits.cpu),
    ...(limits.memory === undefined ? {} : { memoryBytes: Math.round(limits.memory) }),
    ...(requests.memory === undefined
      ? {}
      : { memoryReservationBytes: Math.round(requests.memory) }),
    probes: probesOf(container),
    hooks: hooksOf(container),
    ...stopSignalOf(container),
    ...inputOf(container),
    lastWords: {
      path: container.terminationMessagePath ?? TERMINATION_LOG,
      orLogs: container.terminationMessagePolicy === 'FallbackToLogsOnError',
    },
  };
}

function inputOf({ stdin, stdinOnce, tty }: Container): Pick<ContainerSpec, 'input'> {
  if (stdin !== true && tty !== true) return {};
  return { input: { open: stdin === true, once: stdinOnce === true, terminal: tty === true } };
}

function stopSignalOf({ lifecycle }: Container): { stopSignal?: string } {
  return lifecycle?.stopSignal === undefined ? {} : { stopSignal: lifecycle.stopSignal };
}

/** Kubernetes drops the image's own arguments when a command is given. */
function argsOf({ command, args }: Container, env: Record<string, string>): { args?: string[] } {
  if (args !== undefined) return { args: expandAll(args, env) };
  return command === undefined ? {} : { args: [] };
}

function expandAll(texts: readonly string[], env: Record<string, string>): string[] {
  return texts.map((text) => expandVariables(text, env));
}

/** Docker's relative weight: 1024 for each CPU asked for, as the kubelet sets it. */
function cpuShares(cpu: number | undefined): { cpuShares?: number } {
  return cpu === undefined ? {} : { cpuShares: Math.max(2, Math.round(cpu * 1_024)) };
}

function defaultPullPolicy(image: string): ContainerSpec['pullPolicy'] {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** The variables of a container: `envFrom` first, then `env` in order, a later name wins; values see those before them. */
export function environment(
  container: Container,
  pod: PodFields,
  containers: readonly Container[],
  workloads: Workloads,
): Record<string, string> {
  const { namespace } = pod;
  const env: Record<string, string> = {};
  for (const { prefix, configMapRef, secretRef } of container.envFrom) {
    const source =
      configMapRef === undefined
        ? secretValues(namespace, secretRef?.name ?? '', workloads)
        : configValues(namespace, configMapRef.name, workloads);
    for (const [key, value] of Object.entries(source)) env[prefix + key] = value;
  }
  for (const { name, value, valueFrom } of container.env) {
    const { configMapKeyRef: fromConfig, secretKeyRef: fromSecret } = valueFrom ?? {};
    const { fieldRef, resourceFieldRef } = valueFrom ?? {};
    if (fromConfig !== undefined)
      setIfThere(env, name, configValues(namespace, fromConfig.name, workloads)[fromConfig.key]);
    else if (fromSecret !== undefined)
      setIfThere(env, name, secretValues(namespace, fromSecret.name, workloads)[fromSecret.key]);
    else if (fieldRef !== undefined) env[name] = fieldValue(fieldRef, pod);
    else if (resourceFieldRef !== undefined)
      setIfThere(env, name, resourceValue(resourceFieldRef, container, containers));
    else env[name] = expandVariables(value ?? '', env);
  }
  return env;
}

function setIfThere(env: Record<string, string>, name: string, value: string | undefined): void {
  if (value !== undefined) env[name] = value;
}

function configValues(
  namespace: string,
  name: string,
  { configMaps }: Workloads,
): Record<string, string> {
  return configMaps.get(`${namespace}/${name}`)?.data ?? {};
}

function secretValues(
  namespace: string,
  name: string,
  { secrets }: Workloads,
): Record<string, string> {
  const data = secrets.get(`${namespace}/${name}`)?.data ?? {};
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decodeBase64(value)]));
}

function volumeSpec(volume: Volume, scope: FileScope, fsGroup: number | undefined): VolumeSpec {
  const { name, configMap, secret, emptyDir, hostPath, projected, downwardAPI } = volume;
  const { persistentVolumeClaim: claim } = volume;
  if (emptyDir !== undefined)
    return {
      name,
      kind: 'emptyDir',
      memory: emptyDir.medium === 'Memory',
      // None is no limit, as for the kubelet.
      ...((emptyDir.sizeLimit ?? 0) > 0 ? { sizeLimit: Math.ceil(emptyDir.sizeLimit ?? 0) } : {}),
    };
  if (hostPath !== undefined) return { name, kind: 'hostPath', ...hostPath };
  if (claim !== undefined)
    return { name, kind: 'claim', claim: claim.claimName, readOnly: claim.readOnly };
  const { defaultMode } = configMap ?? secret ?? projected ?? downwardAPI ?? { defaultMode: 0o644 };
  const own: Source = {
    ...(configMap === undefined ? {} : { configMap }),
    ...(secret === undefined ? {} : { secret: { ...secret, name: secret.secretName } }),
    ...(downwardAPI === undefined ? {} : { downwardAPI }),
  };
  const files = inGroup(filesOf(projected?.sources ?? [own], defaultMode, scope), fsGroup);
  return { name, kind: 'files', files, hash: contentHash(files) };
}

function configContent(configMap: ConfigMap | undefined): Record<string, string> {
  if (configMap === undefined) return {};
  const texts = Object.entries(configMap.data).map(
    ([key, text]) => [key, encodeBase64(text)] as const,
  );
  return { ...configMap.binaryData, ...Object.fromEntries(texts) };
}
