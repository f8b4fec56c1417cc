import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import { kubernetesYaml } from '#core/yaml-kubernetes.ts';

/** On a resource whose third-party images are to stay tags: what a tag stands for may then change unseen. */
export const KEEP_TAGS_ANNOTATION = 'windlass.dev/keep-tags';

type Fields = Readonly<Record<string, unknown>>;

/** Where pods are described in the kinds that have them. */
const POD_PATHS = [
  ['spec', 'template', 'spec'],
  ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  ['spec'],
];
const CONTAINER_LISTS = ['initContainers', 'containers'];

/** The images that containers name and that are no digests yet, once each, in order. */
export function imagesToResolve(resources: readonly Resource[]): string[] {
  const names = resources.filter((each) => !keepsTags(each)).flatMap(imagesIn);
  return [...new Set(names)].filter((name) => !name.includes('@'));
}

/** Path in the release tree to YAML text, one resource a file, images replaced as `references` says. */
export function renderManifests(
  resources: readonly Resource[],
  references: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    resources.map((resource) => [
      pathOf(keyOf(resource)),
      kubernetesYaml(withImages(resource, references)),
    ]),
  );
}

/**
 * `deployment_default_web.yaml`; `namespace_shop.yaml` where it lives in none. No name has an underscore, so that two
 * resources never share a file.
 */
export function pathOf(key: ResourceKey): string {
  const [kind = '', ...rest] = key.split('/').filter((part) => part !== '');
  return `${[kind.toLowerCase(), ...rest].join('_')}.yaml`;
}

function keepsTags(resource: Resource): boolean {
  return resource.metadata.annotations?.[KEEP_TAGS_ANNOTATION] === 'true';
}

/** The images of its pods, one for each container. */
export function imagesIn(resource: Resource): string[] {
  return POD_PATHS.flatMap((path) => {
    const pod = path.reduce<unknown>((value, key) => fieldsOf(value)?.[key], resource);
    return CONTAINER_LISTS.flatMap((list) => containersIn(fieldsOf(pod)?.[list]));
  });
}

function containersIn(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list
    .map((container: unknown) => fieldsOf(container)?.['image'])
    .filter((image) => typeof image === 'string');
}

/** A copy whose containers have other images, as `references` says. */
export function withImages(
  resource: Resource,
  references: Readonly<Record<string, string>>,
): Resource {
  return POD_PATHS.reduce<Fields>(
    (fields, path) => changeAt(fields, path, (pod) => withPodImages(pod, references)),
    resource,
  ) as Resource;
}

function withPodImages(pod: Fields, references: Readonly<Record<string, string>>): Fields {
  return CONTAINER_LISTS.reduce((fields, list) => {
    const containers = fields[list];
    if (!Array.isArray(containers)) return fields;
    const changed = containers.map((container: unknown) => withImage(container, references));
    return { ...fields, [list]: changed };
  }, pod);
}

function withImage(container: unknown, references: Readonly<Record<string, string>>): unknown {
  const fields = fieldsOf(container);
  const image = fields?.['image'];
  if (typeof image !== 'string' || !Object.hasOwn(references, image)) return container;
  return { ...fields, image: references[image] };
}

/** A copy in which the fields at `path` are changed; the same where nothing is there. */
function changeAt(
  fields: Fields,
  path: readonly string[],
  change: (fields: Fields) => Fields,
): Fields {
  const [key, ...rest] = path;
  if (key === undefined) return change(fields);
  const inner = fieldsOf(fields[key]);
  return inner === undefined ? fields : { ...fields, [key]: changeAt(inner, rest, change) };
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined;
}
