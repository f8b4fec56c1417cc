import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, Node, Pair, YAMLMap } from 'yaml';

/** Something YAML allows and we do not. `earlier` is the offset of what it collides with. */
export class YamlMistake extends Error {
  readonly offset: number;
  readonly earlier: number | undefined;

  constructor(message: string, offset: number, earlier?: number) {
    super(message);
    this.offset = offset;
    this.earlier = earlier;
  }
}

const MAX_DEPTH = 100;
const MAX_NODES = 200_000;
const MAX_ALIASES = 1_000;

/** Nodes by the name of their anchor. */
export type Anchors = ReadonlyMap<string, Node>;

interface Reading {
  anchors: Anchors;
  nodes: number;
  aliases: number;
}

/** The document as plain data. Throws YamlMistake on duplicate keys and on what exceeds the bounds. */
export function valueOf(document: Document.Parsed, anchors: Anchors): unknown {
  const reading = { anchors, nodes: 0, aliases: 0 };
  return read(document.contents, 0, reading);
}

/** The anchors of a document. Throws YamlMistake where one is set twice. */
export function anchorsOf(root: unknown): Anchors {
  const anchors = new Map<string, Node>();
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const node = rest.pop();
    if (isMap(node)) for (const pair of node.items) rest.push(pair.key, pair.value);
    else if (isSeq(node)) for (const item of node.items) rest.push(item);
    else if (!isScalar(node)) continue;
    if (node.anchor === undefined) continue;
    if (anchors.has(node.anchor)) {
      throw new YamlMistake(`the anchor &${node.anchor} is set twice`, offsetIn(node));
    }
    anchors.set(node.anchor, node);
  }
  return anchors;
}

/** Where a node begins in the text. */
export function offsetIn(node: unknown): number {
  const range = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range : null;
  return range?.[0] ?? 0;
}

/** A map's key as text; numbers and booleans are taken as they are written. */
export function keyText(pair: Pair): string | undefined {
  const { key } = pair;
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === 'string' ? key.value : key.source;
}

/** `<<`, which takes over the keys of another map where they are not set. */
export function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN';
}

function read(node: unknown, depth: number, reading: Reading): unknown {
  reading.nodes += 1;
  if (reading.nodes > MAX_NODES)
    throw new YamlMistake('too large once aliases are expanded', offsetIn(node));
  if (depth > MAX_DEPTH) throw new YamlMistake('nested too deeply', offsetIn(node));
  if (isScalar(node)) return node.value;
  if (isAlias(node)) return read(resolve(node, reading), depth + 1, reading);
  if (isSeq(node)) return node.items.map((item) => read(item, depth + 1, reading));
  if (isMap(node)) return readMap(node, depth, reading);
  return null;
}

function resolve(alias: { source: string }, reading: Reading): Node {
  reading.aliases += 1;
  const node = reading.anchors.get(alias.source);
  if (node === undefined) throw new YamlMistake(`no anchor &${alias.source}`, offsetIn(alias));
  if (reading.aliases > MAX_ALIASES) throw new YamlMistake('too many aliases', offsetIn(alias));
  return node;
}

function readMap(map: YAMLMap, depth: number, reading: Reading): Record<string, unknown> {
  const own = new Map<string, number>();
  const entries: [string, unknown][] = [];
  const merged: [string, unknown][] = [];
  for (const pair of map.items) {
    const offset = offsetIn(pair.key);
    const key = keyText(pair);
    if (key === undefined) throw new YamlMistake('a key must be text', offset);
    const earlier = own.get(key);
    if (earlier !== undefined) throw new YamlMistake(`duplicate key ${key}`, offset, earlier);
    own.set(key, offset);
    const value = read(pair.value, depth + 1, reading);
    if (isMerge(pair)) for (const each of mergedEntries(value, offset)) merged.push(each);
    else entries.push([key, value]);
  }
  return Object.fromEntries([...merged.filter(([key]) => !own.has(key)), ...entries]);
}

/** Later entries win in `fromEntries`, and of several merged maps the first should: hence reversed. */
function mergedEntries(value: unknown, offset: number): [string, unknown][] {
  const maps: unknown[] = Array.isArray(value) ? value.toReversed() : [value];
  return maps.flatMap((map) => {
    if (typeof map !== 'object' || map === null || Array.isArray(map)) {
      throw new YamlMistake('<< takes a map or a list of maps', offset);
    }
    return Object.entries(map);
  });
}
