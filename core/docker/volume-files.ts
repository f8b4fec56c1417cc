import { encodeBase64 } from '#core/base64.ts';
import { fieldValue, resourceValue } from '#core/docker/field-refs.ts';
import type { PodFields, Sized } from '#core/docker/field-refs.ts';
import type { DownwardItem, Item, Source } from '#core/docker/kinds-volumes.ts';
import type { VolumeFile } from '#core/docker/world.ts';

const READABLE = 0o440;

/** What sources are read from. */
export interface FileScope {
  pod: PodFields;
  containers: readonly Sized[];
  /** Key to base64. */
  contentOf(kind: 'ConfigMap' | 'Secret', name: string): Readonly<Record<string, string>>;
}

/** Later sources win where two have the same path. */
export function filesOf(
  sources: readonly Source[],
  defaultMode: number,
  scope: FileScope,
): Record<string, VolumeFile> {
  return Object.assign({}, ...sources.map((source) => sourceFiles(source, defaultMode, scope)));
}

/** Files that the group may read, as the kubelet gives them to `fsGroup`. */
export function inGroup(
  files: Readonly<Record<string, VolumeFile>>,
  group: number | undefined,
): Record<string, VolumeFile> {
  if (group === undefined) return { ...files };
  return Object.fromEntries(
    Object.entries(files).map(([path, file]) => [
      path,
      { ...file, mode: file.mode | READABLE, group },
    ]),
  );
}

function sourceFiles(
  { configMap, secret, downwardAPI }: Source,
  defaultMode: number,
  scope: FileScope,
): Record<string, VolumeFile> {
  const keys = configMap ?? secret;
  if (keys !== undefined) {
    const kind = configMap === undefined ? 'Secret' : 'ConfigMap';
    return keyFiles(scope.contentOf(kind, keys.name), keys.items, defaultMode);
  }
  return Object.fromEntries(
    (downwardAPI?.items ?? []).map((item) => [
      item.path,
      { content: encodeBase64(downwardText(item, scope)), mode: item.mode ?? defaultMode },
    ]),
  );
}

function keyFiles(
  content: Readonly<Record<string, string>>,
  items: readonly Item[] | undefined,
  defaultMode: number,
): Record<string, VolumeFile> {
  const files: Record<string, VolumeFile> = {};
  for (const { key, path, mode } of items ??
    Object.keys(content).map((key) => ({ key, path: key, mode: undefined }))) {
    const bytes = content[key];
    if (bytes !== undefined) files[path] = { content: bytes, mode: mode ?? defaultMode };
  }
  return files;
}

function downwardText(
  { fieldRef, resourceFieldRef }: DownwardItem,
  { pod, containers }: FileScope,
): string {
  if (resourceFieldRef !== undefined)
    return resourceValue(resourceFieldRef, { name: '' }, containers) ?? '';
  if (fieldRef === undefined) return '';
  if (fieldRef.fieldPath === 'metadata.labels') return lines(pod.labels);
  if (fieldRef.fieldPath === 'metadata.annotations') return lines(pod.annotations);
  return fieldValue(fieldRef, pod);
}

/** `key="value"`, a line each, by key. */
function lines(values: Readonly<Record<string, string>>): string {
  return Object.keys(values)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(values[key])}`)
    .join('\n');
}
