import { checkAutoscaler } from '#core/docker/accept-autoscaler.ts';
import { checkIngress } from '#core/docker/accept-ingress.ts';
import { checkStatefulSet } from '#core/docker/accept-stateful-set.ts';
import { checkService } from '#core/docker/accept-service.ts';
import { KINDS_NOT_RUN } from '#core/docker/kinds-not-run.ts';
import { checkHostName } from '#core/docker/host-name.ts';
import { KINDS } from '#core/docker/kinds.ts';
import type {
  DaemonSet,
  Deployment,
  InitContainer,
  PodTemplate,
  StatefulSet,
  Volume,
} from '#core/docker/kinds.ts';
import type { DownwardItem, Item } from '#core/docker/kinds-volumes.ts';
import { resourceValue } from '#core/docker/field-refs.ts';
import { checkLifecycle } from '#core/docker/lifecycle.ts';
import { checkHostPorts } from '#core/docker/host-ports.ts';
import { ordinalsOf, setPodName, withOrdinal } from '#core/docker/set-pods.ts';
import { checkSharing } from '#core/docker/host-sharing.ts';
import { checkNames } from '#core/docker/pod-names.ts';
import { checkPullSecret } from '#core/docker/pull-secrets.ts';
import { podPathOf } from '#core/docker/pod-path.ts';
import { environment } from '#core/docker/pod-spec.ts';
import { checkPropagation } from '#core/docker/propagation.ts';
import { checkSecurity } from '#core/docker/security.ts';
import { checkSubPaths } from '#core/docker/sub-paths.ts';
import { checkSelector } from '#core/docker/selectors.ts';
import { checkSysctls } from '#core/docker/sysctls.ts';
import { describeUnknownField } from '#core/docker/unknown-field.ts';
import type { Workload } from '#core/docker/workload.ts';
import { autoscalerKey, autoscalersIn, targetOf } from '#core/docker/keep-autoscalers.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { keeper, keepsPods, normalise, sortWorkloads } from '#core/docker/workloads.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import type { Problem } from '#core/errors.ts';
import type { FieldPath } from '#core/field-path.ts';
import type { Origin, ParsedManifests } from '#core/resources/parse.ts';
import { asSubmitted } from '#core/resources/as-submitted.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';
import { suggestion } from '#core/suggest.ts';
import { checkDocument, problemAt } from '#core/zod-problems.ts';
import type { UnknownKey } from '#core/zod-problems.ts';
import type { z } from 'zod';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** What an engine runs, and how it tells what it does not. */
export interface EngineRules {
  engine: string;
  /** In the order in which they are made. */
  kinds: Readonly<Record<string, z.ZodType>>;
  /** Others, and why not. */
  notRun: ReadonlyMap<string, string>;
  unknownField: (kind: string) => UnknownKey;
  /** Of a document that has no unknown fields: what the engine itself refuses of it. */
  refuse?: (kind: string, value: unknown, report: Report) => void;
  /** With defaults filled in. */
  normalise: (resource: Resource) => Resource;
}

const DOCKER_RULES: EngineRules = {
  engine: 'docker',
  kinds: KINDS,
  notRun: KINDS_NOT_RUN,
  unknownField: describeUnknownField,
  normalise,
};

/** Everything in the manifests that the engine cannot run as Kubernetes would, with its place. */
export function acceptResources(
  { resources, origins }: Pick<ParsedManifests, 'resources' | 'origins'>,
  rules: EngineRules = DOCKER_RULES,
): Problem[] {
  const problems: Problem[] = [];
  const accepted = resources.filter((resource) => {
    const origin = origins.get(keyOf(resource));
    const found = origin === undefined ? [] : checkFields(resource, origin, rules);
    problems.push(...found);
    return found.length === 0;
  });
  // References are looked up among all: one that is misspelt itself is told once.
  const named = new Set(resources.map(keyOf));
  const normalised = accepted.map(rules.normalise);
  const workloads = sortWorkloads(normalised);
  for (const resource of normalised.filter(keepsPods)) {
    const report = reporter(problems, origins.get(keyOf(resource)));
    if (SELECTING.includes(resource.kind)) {
      const { selector, template } = (resource as unknown as Deployment | DaemonSet | StatefulSet)
        .spec;
      checkSelector(selector, template.metadata.labels, report);
    }
    checkStatefulSet(keeper(resource), named, report);
    checkPods(keeper(resource), workloads, named, report);
  }
  const scaled = new Set<string>();
  for (const autoscaler of autoscalersIn(normalised)) {
    const target = targetOf(autoscaler);
    const workload = workloads.keepers.find((each) => keeperOf(each) === target);
    const origin = origins.get(autoscalerKey(autoscaler));
    checkAutoscaler(autoscaler, workload, scaled, reporter(problems, origin));
  }
  for (const secret of workloads.secrets.values())
    checkPullSecret(secret, reporter(problems, origins.get(keyOfNamed('Secret', secret))));
  for (const ingress of workloads.ingresses) {
    const origin = origins.get(keyOfNamed('Ingress', ingress));
    checkIngress(ingress, workloads, reporter(problems, origin));
  }
  const hostPorts = new Map<string, string>();
  for (const service of workloads.services) {
    checkService(
      service,
      hostPorts,
      reporter(problems, origins.get(keyOfNamed('Service', service))),
    );
  }
  return problems;
}

/** A Pod has no selector, and Jobs need none. */
const SELECTING = ['Deployment', 'DaemonSet', 'StatefulSet'];

function checkFields(
  { kind }: { kind: string },
  origin: Origin,
  { engine, kinds, notRun, unknownField, refuse }: EngineRules,
): Problem[] {
  const { file, document } = origin;
  const schema = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (schema === undefined) {
    const names = Object.keys(kinds);
    const hint = suggestion(kind, names) ?? `it runs ${names.join(', ')}`;
    const reason = notRun.get(kind);
    return [
      problemAt({
        file,
        document,
        path: ['kind'],
        message: `the ${engine} engine does not run ${kind}${reason === undefined ? '' : `: ${reason}`}`,
        hint,
      }),
    ];
  }
  const submitted = { ...document, value: asSubmitted(document.value) };
  const checked = checkDocument(schema, submitted, file, unknownField(kind));
  const problems = 'problems' in checked ? [...checked.problems] : [];
  refuse?.(kind, submitted.value, reporter(problems, origin));
  return problems;
}

function reporter(problems: Problem[], origin: Origin | undefined): Report {
  return (path, message, hint) => {
    if (origin !== undefined) problems.push(problemAt({ ...origin, path, message, hint }));
  };
}

function checkPods(
  workload: Workload,
  workloads: Workloads,
  named: ReadonlySet<string>,
  report: Report,
): void {
  const {
    kind,
    metadata,
    set,
    spec: { template },
  } = workload;
  const spec = podPathOf(kind);
  const namespace = metadata.namespace ?? 'default';
  checkNames(template.spec, spec, report);
  const { pod, example } = examplePod(workload);
  checkHostName(example.spec, { pod, namespace }, spec, report);
  checkSysctls(template.spec, spec, report);
  checkSharing(template.spec, spec, report);
  checkHostPorts(template.spec, spec, report);
  const { initContainers = [] } = template.spec;
  const all: InitContainer[] = [...template.spec.containers, ...initContainers];
  checkUnique(template.spec.containers, [...spec, 'containers'], report);
  checkUnique(initContainers, [...spec, 'initContainers'], report, template.spec.containers);
  checkUnique(template.spec.volumes, [...spec, 'volumes'], report);
  template.spec.volumes.forEach((volume, index) => {
    const path = [...spec, 'volumes', index];
    checkSources(volume, path, {
      namespace,
      containers: all,
      workloads,
      named,
      report,
    });
    if (volume.configMap?.optional === false)
      checkRef('ConfigMap', namespace, volume.configMap.name, [...path, 'configMap', 'name'], {
        named,
        report,
      });
    const claim = volume.persistentVolumeClaim;
    if (claim !== undefined)
      checkRef(
        'PersistentVolumeClaim',
        namespace,
        claim.claimName,
        [...path, 'persistentVolumeClaim', 'claimName'],
        { named, report },
      );
    if (volume.secret?.optional === false)
      checkRef('Secret', namespace, volume.secret.secretName, [...path, 'secret', 'secretName'], {
        named,
        report,
      });
  });
  const mounted = [...(set?.claims ?? []).map((name) => ({ name })), ...template.spec.volumes];
  const volumes = mounted.map(({ name }) => name);
  const scope = { namespace, volumes, containers: all, workloads, named, report };
  const fields = { ...example.metadata, name: pod, namespace };
  for (const field of ['containers', 'initContainers'] as const) {
    template.spec[field]?.forEach((container, index) => {
      const path = [...spec, field, index];
      const security = [...path, 'securityContext'];
      checkSecurity(template.spec.securityContext, container.securityContext, security, report);
      checkContainer(container, path, scope);
      checkLifecycle(container, template.spec, [...path, 'lifecycle'], report);
      checkPropagation(container, mounted, path, report);
      checkSubPaths(container, environment(container, fields, all, workloads), path, report);
    });
  }
  initContainers.forEach((container, index) => {
    checkInit(container, [...spec, 'initContainers', index], report);
  });
}

/** One of the workload's pods, with the longest name that they have. */
function examplePod(workload: Workload): { pod: string; example: PodTemplate } {
  const {
    kind,
    metadata: { name },
    set,
    spec: { template: example },
  } = workload;
  const job = kind === 'CronJob' ? `${name}-00000000` : name;
  if (set === undefined) return { pod: kind === 'Pod' ? name : `${job}-00000000-0`, example };
  const last = ordinalsOf(workload, set).at(-1) ?? set.start;
  const made = withOrdinal(workload, set, last).spec.template;
  return { pod: setPodName(workload, last), example: made };
}

/** As Kubernetes refuses it. */
function checkInit(container: InitContainer, path: FieldPath, report: Report): void {
  if (container.restartPolicy === 'Always') return;
  for (const field of ['startupProbe', 'readinessProbe', 'livenessProbe', 'lifecycle'] as const) {
    if (container[field] === undefined) continue;
    report([...path, field], 'an init container that ends has none', 'say restartPolicy: Always');
  }
}

interface ContainerScope {
  namespace: string;
  volumes: string[];
  containers: readonly InitContainer[];
  workloads: Workloads;
  named: ReadonlySet<string>;
  report: Report;
}

function checkSources(
  { projected, downwardAPI }: Volume,
  path: FieldPath,
  scope: Omit<ContainerScope, 'volumes'>,
): void {
  checkDownward(downwardAPI?.items ?? [], [...path, 'downwardAPI', 'items'], scope);
  projected?.sources.forEach((source, index) => {
    const at = [...path, 'projected', 'sources', index];
    const { configMap, secret } = source;
    checkDownward(source.downwardAPI?.items ?? [], [...at, 'downwardAPI', 'items'], scope);
    if (configMap?.optional === false)
      checkProjection('ConfigMap', configMap, [...at, 'configMap'], scope);
    if (secret?.optional === false) checkProjection('Secret', secret, [...at, 'secret'], scope);
  });
}

function checkProjection(
  kind: 'ConfigMap' | 'Secret',
  { name, items }: { name: string; items?: readonly Item[] | undefined },
  path: FieldPath,
  scope: Omit<ContainerScope, 'volumes'>,
): void {
  if (!checkRef(kind, scope.namespace, name, [...path, 'name'], scope)) return;
  items?.forEach(({ key }, index) => {
    checkKey(kind, { name, key }, [...path, 'items', index], scope);
  });
}

function checkDownward(
  items: readonly DownwardItem[],
  path: FieldPath,
  { containers, report }: Omit<ContainerScope, 'volumes'>,
): void {
  items.forEach(({ resourceFieldRef: ref }, index) => {
    if (ref === undefined || resourceValue(ref, { name: '' }, containers) !== undefined) return;
    report(
      [...path, index, 'resourceFieldRef'],
      `${ref.containerName} has no ${ref.resource}`,
      'set it in its resources',
    );
  });
}

function checkContainer(container: InitContainer, path: FieldPath, scope: ContainerScope): void {
  const { namespace, volumes, report } = scope;
  container.volumeMounts.forEach((mount, index) => {
    if (volumes.includes(mount.name)) return;
    report(
      [...path, 'volumeMounts', index, 'name'],
      `there is no volume ${mount.name} in this pod`,
      suggestion(mount.name, volumes),
    );
  });
  container.env.forEach((env, index) => {
    const at = [...path, 'env', index, 'valueFrom'];
    const { configMapKeyRef, secretKeyRef, resourceFieldRef } = env.valueFrom ?? {};
    if (
      resourceFieldRef !== undefined &&
      resourceValue(resourceFieldRef, container, scope.containers) === undefined
    )
      report(
        [...at, 'resourceFieldRef'],
        `${resourceFieldRef.containerName ?? 'the container'} has no ${resourceFieldRef.resource}`,
        'set it in its resources',
      );
    if (configMapKeyRef?.optional === false)
      checkKey('ConfigMap', configMapKeyRef, [...at, 'configMapKeyRef'], scope);
    if (secretKeyRef?.optional === false)
      checkKey('Secret', secretKeyRef, [...at, 'secretKeyRef'], scope);
  });
  container.envFrom.forEach(({ configMapRef, secretRef }, index) => {
    const at = [...path, 'envFrom', index];
    if (configMapRef?.optional === false)
      checkRef('ConfigMap', namespace, configMapRef.name, [...at, 'configMapRef', 'name'], scope);
    if (secretRef?.optional === false)
      checkRef('Secret', namespace, secretRef.name, [...at, 'secretRef', 'name'], scope);
  });
  const { cpu, memory } = container.resources?.limits ?? {};
  const requests = container.resources?.requests ?? {};
  if ((requests.cpu ?? 0) > (cpu ?? Infinity))
    report([...path, 'resources', 'requests', 'cpu'], 'is more than the limit');
  if ((requests.memory ?? 0) > (memory ?? Infinity))
    report([...path, 'resources', 'requests', 'memory'], 'is more than the limit');
  if (memory !== undefined && memory < 6 * 2 ** 20)
    report([...path, 'resources', 'limits', 'memory'], 'is less than the 6Mi that Docker allows');
  for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const)
    checkActionPort(container, container[name], [...path, name], report);
  for (const name of ['postStart', 'preStop'] as const)
    checkActionPort(container, container.lifecycle?.[name], [...path, 'lifecycle', name], report);
}

interface NamesPort {
  httpGet?: { port: number | string } | undefined;
  tcpSocket?: { port: number | string } | undefined;
}

function checkActionPort(
  { ports }: InitContainer,
  { httpGet, tcpSocket }: NamesPort = {},
  path: FieldPath,
  report: Report,
): void {
  const port = httpGet?.port ?? tcpSocket?.port;
  if (typeof port !== 'string' || ports.some((each) => each.name === port)) return;
  report(
    [...path, httpGet === undefined ? 'tcpSocket' : 'httpGet', 'port'],
    `the container has no port named ${port}`,
    suggestion(
      port,
      ports.flatMap((each) => each.name ?? []),
    ),
  );
}

function checkKey(
  kind: 'ConfigMap' | 'Secret',
  ref: { name: string; key: string },
  path: FieldPath,
  scope: Omit<ContainerScope, 'volumes'>,
): void {
  const { namespace, workloads, report } = scope;
  if (!checkRef(kind, namespace, ref.name, [...path, 'name'], scope)) return;
  const name = `${namespace}/${ref.name}`;
  const configMap = workloads.configMaps.get(name);
  const source =
    kind === 'ConfigMap'
      ? configMap && { ...configMap.binaryData, ...configMap.data }
      : workloads.secrets.get(name)?.data;
  if (source === undefined || Object.hasOwn(source, ref.key)) return;
  report(
    [...path, 'key'],
    `${kind} ${ref.name} has no key ${ref.key}`,
    suggestion(ref.key, Object.keys(source)),
  );
}

/** False where what it names is not in the release: the pod could never start. */
function checkRef(
  kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim',
  namespace: string,
  name: string,
  path: FieldPath,
  { named, report }: { named: ReadonlySet<string>; report: Report },
): boolean {
  const prefix = `${kind}/${namespace}/`;
  if (named.has(prefix + name)) return true;
  const others = [...named]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  report(
    path,
    `there is no ${kind} ${name} in namespace ${namespace} of these manifests`,
    suggestion(name, others) ??
      (kind === 'PersistentVolumeClaim' ? 'add it' : 'add it, or say optional: true'),
  );
  return false;
}

function checkUnique(
  items: readonly { name: string }[],
  path: FieldPath,
  report: Report,
  others: readonly { name: string }[] = [],
): void {
  const seen = new Set(others.map(({ name }) => name));
  items.forEach(({ name }, index) => {
    if (seen.has(name)) report([...path, index, 'name'], `${name} is there twice`);
    seen.add(name);
  });
}

function keyOfNamed(
  kind: string,
  { metadata }: { metadata: { name: string; namespace?: string | undefined } },
): string {
  return `${kind}/${metadata.namespace ?? 'default'}/${metadata.name}`;
}
