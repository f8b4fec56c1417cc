import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { LiveObject, ManagedFields } from '#core/kubernetes/live-object.ts';
import { applyFields, mergePatch, updateFields } from './stand-in-fields.ts';

/**
 * A stand-in of an API server, for tests where there is none. It answers as Kubernetes 1.36 was seen to answer to what the
 * engine asks, and no more: no admission, no defaults, no validation but of `immutable`, no controllers. What it lets pass
 * a real one may refuse: `npm run test:kubernetes` asks one.
 */
export interface ApiStandIn {
  url: string;
  /** Watches of now end with 410: the server remembers nothing before. */
  forgetHistory(): void;
  /** Watches of now break off. */
  breakWatches(): void;
  /** What accounts were allowed, each `<verb> <plural> in <namespace>`. */
  used(account: string): ReadonlySet<string>;
  close(): Promise<void>;
}

type Fields = Record<string, unknown>;

interface ServedKind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}

interface Stored {
  kind: ServedKind;
  object: LiveObject;
}

interface Watch {
  kind: ServedKind;
  namespace: string;
  selector: string;
  response: ServerResponse;
}

interface Asked {
  kind: ServedKind;
  namespace: string;
  name: string;
  query: URLSearchParams;
  body: Fields;
  contentType: string;
}

class Refusal extends Error {
  readonly status: Fields & { code: number };

  constructor(code: number, reason: string, message: string, causes: Fields[] = []) {
    super(message);
    this.status = { kind: 'Status', status: 'Failure', code, reason, message, details: { causes } };
  }
}

const RBAC = 'rbac.authorization.k8s.io';

const CORE: ServedKind[] = [
  { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
  { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
  { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
  { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true },
  { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true },
  {
    group: 'networking.k8s.io',
    version: 'v1',
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    namespaced: true,
  },
  {
    group: RBAC,
    version: 'v1',
    kind: 'ClusterRole',
    plural: 'clusterroles',
    namespaced: false,
  },
  {
    group: RBAC,
    version: 'v1',
    kind: 'ClusterRoleBinding',
    plural: 'clusterrolebindings',
    namespaced: false,
  },
  { group: RBAC, version: 'v1', kind: 'Role', plural: 'roles', namespaced: true },
  { group: RBAC, version: 'v1', kind: 'RoleBinding', plural: 'rolebindings', namespaced: true },
  {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    namespaced: false,
  },
];

/** With `onSocket`, what a kubelet would do with a WebSocket for a pod, e.g. `/api/v1/namespaces/shop/pods/web-0/exec`. */
export async function startApiStandIn(
  onSocket?: (socket: WebSocket, url: URL) => void,
): Promise<ApiStandIn> {
  const objects = new Map<string, Stored>();
  const kinds = [...CORE];
  const watches = new Set<Watch>();
  const allowed = new Map<string, Set<string>>();
  let version = 1;
  let oldest = 0;

  function idOf({ group, kind }: ServedKind, namespace: string, name: string): string {
    return `${group}/${kind}/${namespace}/${name}`;
  }

  function tell(type: string, { kind, object }: Stored): void {
    for (const watch of watches) {
      if (watch.kind.kind !== kind.kind || watch.kind.group !== kind.group) continue;
      if (watch.namespace !== '' && watch.namespace !== object.metadata.namespace) continue;
      if (!isSelected(object, watch.selector)) continue;
      watch.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  function store(stored: Stored, isNew: boolean): LiveObject {
    const { kind } = stored;
    version += 1;
    const metadata = { ...stored.object.metadata, resourceVersion: String(version) };
    const object = { ...stored.object, metadata };
    const { namespace = '', name } = metadata;
    const isGone =
      metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
    if (isGone) objects.delete(idOf(kind, namespace, name));
    else objects.set(idOf(kind, namespace, name), { kind, object });
    const type = isNew ? 'ADDED' : 'MODIFIED';
    tell(isGone ? 'DELETED' : type, { kind, object });
    if (kind.kind === 'CustomResourceDefinition' && isNew) establish({ kind, object });
    if (kind.kind === 'Namespace' && isGone) removeWithin(name);
    return object;
  }

  function removeWithin(namespace: string): void {
    for (const { kind, object } of objects.values())
      if (object.metadata.namespace === namespace) remove({ kind, object });
  }

  /** Its controller would, a moment later. */
  function establish({ kind, object }: Stored): void {
    const { group, names, scope, versions } = object['spec'] as {
      group: string;
      names: { kind: string; plural: string };
      scope: string;
      versions: { name: string }[];
    };
    for (const each of versions)
      kinds.push({ group, version: each.name, ...names, namespaced: scope === 'Namespaced' });
    const conditions = [{ type: 'Established', status: 'True', reason: 'InitialNamesAccepted' }];
    setImmediate(() => store({ kind, object: { ...object, status: { conditions } } }, false));
  }

  function remove({ kind, object }: Stored): LiveObject {
    const deletionTimestamp = object.metadata.deletionTimestamp ?? new Date().toISOString();
    return store(
      { kind, object: { ...object, metadata: { ...object.metadata, deletionTimestamp } } },
      false,
    );
  }

  function find({ kind, namespace, name }: Asked): Stored {
    const found = objects.get(idOf(kind, namespace, name));
    if (found === undefined)
      throw new Refusal(404, 'NotFound', `${kind.plural} "${name}" not found`);
    return found;
  }

  function checkNamespace({ kind, namespace }: Asked): void {
    if (!kind.namespaced || objects.has(`/Namespace//${namespace}`)) return;
    throw new Refusal(404, 'NotFound', `namespaces "${namespace}" not found`);
  }

  function newMetadata(
    metadata: LiveObject['metadata'],
    { namespace }: Asked,
  ): LiveObject['metadata'] {
    return {
      ...metadata,
      ...(namespace === '' ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: new Date().toISOString(),
    };
  }

  /** What every write ends with: `next` is the whole object. */
  function write(
    asked: Asked,
    before: LiveObject | undefined,
    next: LiveObject,
    managedFields: ManagedFields[],
  ): { code: number; body: LiveObject } {
    checkImmutable(before, next);
    const metadata = { ...next.metadata, managedFields };
    const object = {
      ...next,
      metadata: before === undefined ? newMetadata(metadata, asked) : metadata,
    };
    const code = before === undefined ? 201 : 200;
    if (asked.query.get('dryRun') === 'All') return { code, body: object };
    if (before !== undefined && JSON.stringify(object) === JSON.stringify(before))
      return { code, body: before };
    return { code, body: store({ kind: asked.kind, object }, before === undefined) };
  }

  function apply(asked: Asked): { code: number; body: LiveObject } {
    checkNamespace(asked);
    const before = objects.get(idOf(asked.kind, asked.namespace, asked.name))?.object;
    const manager = asked.query.get('fieldManager') ?? '';
    const force = asked.query.get('force') === 'true';
    const start = before ?? {
      apiVersion: asked.body['apiVersion'],
      kind: asked.kind.kind,
      metadata: { name: asked.name },
    };
    const managed = before?.metadata.managedFields ?? [];
    const applied = applyFields(start, managed, asked.body, { manager, force });
    if (applied.conflicts.length > 0) {
      const causes = applied.conflicts.map((each) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with "${each.manager}" using v1`,
        field: each.field,
      }));
      throw new Refusal(409, 'Conflict', 'Apply failed with conflicts', causes);
    }
    return write(asked, before, applied.object as LiveObject, applied.managed);
  }

  function patch(asked: Asked): { code: number; body: LiveObject } {
    const { object } = find(asked);
    const next = mergePatch(object, asked.body) as LiveObject;
    return write(asked, object, next, managedBy(asked, object, next));
  }

  function managedBy({ query }: Asked, before: Fields, next: LiveObject): ManagedFields[] {
    const manager = query.get('fieldManager') ?? 'unknown';
    return updateFields(before, next.metadata.managedFields ?? [], next, manager);
  }

  function create(asked: Asked): { code: number; body: LiveObject } {
    checkNamespace(asked);
    const body = { ...asked.body, kind: asked.kind.kind } as LiveObject;
    const named = { ...asked, name: body.metadata.name };
    if (objects.has(idOf(asked.kind, asked.namespace, named.name)))
      throw new Refusal(
        409,
        'AlreadyExists',
        `${asked.kind.plural} "${named.name}" already exists`,
      );
    return write(named, undefined, body, managedBy(asked, {}, body));
  }

  function replace(asked: Asked): { code: number; body: LiveObject } {
    const { object } = find(asked);
    const body = asked.body as LiveObject;
    if (body.metadata.resourceVersion !== object.metadata.resourceVersion)
      throw new Refusal(409, 'Conflict', 'the object has been modified');
    const metadata = { ...object.metadata, ...body.metadata };
    const next = { ...body, metadata };
    return write(asked, object, next, managedBy(asked, object, next));
  }

  function del(asked: Asked): { code: number; body: unknown } {
    const stored = find(asked);
    const wanted = (asked.body['preconditions'] ?? {}) as { uid?: string };
    if (wanted.uid !== undefined && wanted.uid !== stored.object.metadata.uid)
      throw new Refusal(409, 'Conflict', 'Precondition failed: UID in precondition');
    return { code: 200, body: remove(stored) };
  }

  function list({ kind, namespace, query }: Asked): unknown {
    const items = [...objects.values()].filter(
      (each) =>
        each.kind.kind === kind.kind &&
        each.kind.group === kind.group &&
        (namespace === '' || each.object.metadata.namespace === namespace) &&
        isSelected(each.object, query.get('labelSelector') ?? ''),
    );
    // Of a page that goes on, the token is where it stops.
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? items.length);
    const rest = items.length > from + limit ? { continue: String(from + limit) } : {};
    return {
      kind: `${kind.kind}List`,
      metadata: { resourceVersion: String(version), ...rest },
      items: items.slice(from, from + limit).map(({ object }) => object),
    };
  }

  function watch({ kind, namespace, query }: Asked, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < oldest) {
      const object = {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: 'too old resource version',
      };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const selector = query.get('labelSelector') ?? '';
    const watched = { kind, namespace, selector, response };
    watches.add(watched);
    response.on('close', () => watches.delete(watched));
    // What came between the list and the watch.
    for (const stored of objects.values())
      if (Number(stored.object.metadata.resourceVersion) > from) tell('MODIFIED', stored);
  }

  /** By roles and their bindings to users and ServiceAccounts. */
  function authorize(account: string, method: string, asked: Asked): void {
    const { kind, namespace, name, query, contentType } = asked;
    checkRight(account, verbOf(method, name, query), asked);
    const isNew = !objects.has(idOf(kind, namespace, name));
    // What is applied and not there is created.
    if (isNew && contentType.includes('apply-patch')) checkRight(account, 'create', asked);
  }

  function checkRight(account: string, verb: string, { kind, namespace }: Asked): void {
    const all = [...objects.values()].map(({ object }) => object);
    const rules = all.filter(isBinding).flatMap(({ metadata, subjects, roleRef }) => {
      if (!subjects.some((each) => nameOf(each) === account)) return [];
      if (metadata.namespace !== undefined && metadata.namespace !== namespace) return [];
      return all
        .filter(isRole)
        .filter((role) => role.kind === roleRef.kind && role.metadata.name === roleRef.name)
        .flatMap((role) => role.rules);
    });
    const isAllowed = rules.some(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.includes(kind.group) && resources.includes(kind.plural) && verbs.includes(verb),
    );
    if (isAllowed) {
      const used = allowed.get(account) ?? new Set();
      allowed.set(account, used.add(`${verb} ${kind.plural} in ${namespace}`));
      return;
    }
    const what = `resource "${kind.plural}" in API group "${kind.group}" at the cluster scope`;
    throw new Refusal(
      403,
      'Forbidden',
      `${kind.plural} is forbidden: User "${account}" cannot ${verb} ${what}`,
    );
  }

  function handle(method: string, asked: Asked): { code: number; body: unknown } {
    switch (method) {
      case 'GET':
        return { code: 200, body: asked.name === '' ? list(asked) : find(asked).object };
      case 'POST':
        return create(asked);
      case 'PUT':
        return replace(asked);
      case 'DELETE':
        return del(asked);
      default:
        return asked.contentType.includes('apply-patch') ? apply(asked) : patch(asked);
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    try {
      const body = await text(request);
      if (url.pathname === '/api' || url.pathname === '/apis') {
        send(response, 200, discovery(kinds, url.pathname === '/api'));
        return;
      }
      const asked = {
        ...placeOf(url.pathname, kinds),
        query: url.searchParams,
        body: body === '' ? {} : (JSON.parse(body) as Fields),
        contentType: request.headers['content-type'] ?? '',
      };
      const account = request.headers['impersonate-user'];
      if (typeof account === 'string') authorize(account, request.method ?? '', asked);
      if (url.searchParams.get('watch') === 'true') {
        watch(asked, response);
        return;
      }
      const { code, body: answered } = handle(request.method ?? '', asked);
      send(response, code, answered);
    } catch (error) {
      if (error instanceof Refusal) send(response, error.status.code, error.status);
      else send(response, 500, { message: String(error) });
    }
  }

  const server = createServer((request, response) => void answer(request, response));
  if (onSocket !== undefined) {
    const sockets = new WebSocketServer({ server, handleProtocols: ([first]) => first ?? false });
    sockets.on('connection', (socket, request) =>
      onSocket(socket, new URL(request.url ?? '', 'http://api')),
    );
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  function breakWatches(): void {
    for (const { response } of watches) response.destroy();
    watches.clear();
  }

  return {
    url: `http://127.0.0.1:${port}`,
    breakWatches,
    used: (account) => allowed.get(account) ?? new Set(),
    forgetHistory() {
      version += 1;
      oldest = version;
      breakWatches();
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

type Role = LiveObject & { rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[] };
type Subject = { kind: string; name: string; namespace?: string };
type Binding = LiveObject & { roleRef: { kind: string; name: string }; subjects: Subject[] };

/** As requests name it. */
function nameOf({ kind, name, namespace = '' }: Subject): string {
  return kind === 'ServiceAccount' ? `system:serviceaccount:${namespace}:${name}` : name;
}

function isRole(object: LiveObject): object is Role {
  return 'rules' in object;
}

function isBinding(object: LiveObject): object is Binding {
  return 'roleRef' in object;
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  if (query.get('watch') === 'true') return 'watch';
  const read = name === '' ? 'list' : 'get';
  return { GET: read, POST: 'create', PUT: 'update' }[method] ?? method.toLowerCase();
}

/** `/apis/apps/v1/namespaces/shop/deployments/web` */
function placeOf(
  path: string,
  kinds: readonly ServedKind[],
): Pick<Asked, 'kind' | 'namespace' | 'name'> {
  const match =
    /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/.exec(
      path,
    ) ?? /^\/(?:api)()\/([^/]+)()\/(namespaces)\/([^/]+)$/.exec(path);
  const [, group = '', version = '', namespace = '', plural = '', name = ''] = match ?? [];
  const kind = kinds.find(
    (each) => each.group === group && each.version === version && each.plural === plural,
  );
  if (kind === undefined)
    throw new Refusal(404, 'NotFound', 'the server could not find the requested resource');
  return { kind, namespace, name };
}

function discovery(kinds: readonly ServedKind[], isCore: boolean): unknown {
  const served = kinds.filter(({ group }) => (group === '') === isCore);
  const groups = Map.groupBy(served, ({ group }) => group);
  return {
    kind: 'APIGroupDiscoveryList',
    items: [...groups].map(([group, all]) => ({
      metadata: { name: group },
      versions: [...Map.groupBy(all, ({ version }) => version)].map(([version, each]) => ({
        version,
        resources: each.map(({ kind, plural, namespaced }) => ({
          resource: plural,
          responseKind: { group, version, kind },
          scope: namespaced ? 'Namespaced' : 'Cluster',
          verbs: ['get', 'list', 'watch', 'patch', 'delete'],
        })),
      })),
    })),
  };
}

function isSelected({ metadata }: LiveObject, selector: string): boolean {
  return selector
    .split(',')
    .filter((each) => each !== '')
    .every((each) => {
      const [key = '', value] = each.split('=');
      return metadata.labels?.[key] === value;
    });
}

function checkImmutable(before: LiveObject | undefined, next: LiveObject): void {
  if (before?.['immutable'] !== true) return;
  if (JSON.stringify(before['data']) === JSON.stringify(next['data'])) return;
  const message = 'Forbidden: field is immutable when `immutable` is set';
  throw new Refusal(
    422,
    'Invalid',
    `ConfigMap "${next.metadata.name}" is invalid: data: ${message}`,
    [{ reason: 'FieldValueForbidden', message, field: 'data' }],
  );
}
