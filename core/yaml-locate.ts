import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, YAMLMap } from 'yaml';
import { isMerge, keyText, offsetIn } from '#core/yaml-value.ts';
import type { Anchors } from '#core/yaml-value.ts';

type Path = readonly (string | number)[];

interface Place {
  offset: number;
  value: unknown;
}

/** Offset of the path's last key or item, or of its nearest parent that is there. */
export function offsetOf(document: Document.Parsed, path: Path, anchors: Anchors): number {
  return placesTo(document, path, anchors).at(-1)?.offset ?? 0;
}

/** The text of the number or boolean at the path. */
export function writtenAt(
  document: Document.Parsed,
  path: Path,
  anchors: Anchors,
): string | undefined {
  const node = placesTo(document, path, anchors)[path.length]?.value;
  return isScalar(node) && ['number', 'boolean'].includes(typeof node.value)
    ? node.source
    : undefined;
}

/** The document itself, and what the path leads through as far as it is there. */
function placesTo(document: Document.Parsed, path: Path, anchors: Anchors): Place[] {
  let place: Place = { offset: offsetIn(document.contents), value: document.contents };
  const places = [place];
  for (const segment of path) {
    const next = childOf(resolved(place.value, anchors), segment, anchors);
    if (next === undefined) break;
    place = next;
    places.push(place);
  }
  return places;
}

function childOf(node: unknown, segment: string | number, anchors: Anchors): Place | undefined {
  if (isSeq(node)) {
    const item = typeof segment === 'number' ? node.items[segment] : undefined;
    return item === undefined ? undefined : { offset: offsetIn(item), value: item };
  }
  return isMap(node) ? entryOf(node, String(segment), anchors) : undefined;
}

function entryOf(map: YAMLMap, key: string, anchors: Anchors): Place | undefined {
  const pair = map.items.find((item) => !isMerge(item) && keyText(item) === key);
  if (pair !== undefined) return { offset: offsetIn(pair.key), value: pair.value };
  for (const merge of map.items.filter(isMerge)) {
    const source = resolved(merge.value, anchors);
    for (const item of isSeq(source) ? source.items : [source]) {
      const from = resolved(item, anchors);
      const found = isMap(from) ? entryOf(from, key, anchors) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function resolved(node: unknown, anchors: Anchors): unknown {
  return isAlias(node) ? anchors.get(node.source) : node;
}
