import type { ASTNode } from '@marcbachmann/cel-js';

/** Macros that evaluate an argument once for each item of what they are called on. */
const MACROS = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);
/** What makes no list longer, and no new ones. */
const KEEPING = new Set(['filter', 'or', 'orValue', 'value']);
const READING = new Set(['id', 'value', '.', '.?', '[]', '[?]', '?:', 'list', 'rcall']);
const DEEPEST = 2;
const MOST_STEPS = 40_000;
/** Each name and function may read the longest text in each step, e.g. size(), which counts its characters. */
const MOST_CHARACTERS = 10_000_000;

/** Functions that are not taken, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  // A pattern may take for ever on a text that suits it.
  matches: 'matches() is not taken: compare, or use contains()',
  // One within another doubles a text or list each time.
  bind: 'cel.bind() is not taken: write out what it stands for',
};

/** Why an expression might take too long; absent where it cannot. It is told by what was parsed, however it is written. */
export function costProblem(node: ASTNode): string | undefined {
  const nodes = allIn(node);
  for (const each of nodes) {
    const name = calledIn(each);
    if (name !== undefined && Object.hasOwn(REFUSED, name)) return REFUSED[name];
    const over = iteratedIn(each);
    if (over !== undefined && !isRead(over))
      return `${name}() goes over what the expression makes: only over lists of the object`;
  }
  return depthOf(node) > DEEPEST
    ? `has more than ${DEEPEST} of ${[...MACROS, 'in'].join(', ')} within each other`
    : undefined;
}

/** Why it takes too long on this object; absent where it does not. */
export function stepsProblem(node: ASTNode): (object: unknown) => string | undefined {
  const depth = depthOf(node);
  const reads = allIn(node).filter(isReading).length;
  return (object) => {
    const { items, characters } = longestIn(object);
    const steps = items ** depth;
    if (steps > MOST_STEPS) return `a list of ${items} is too long for it`;
    return reads * steps * characters > MOST_CHARACTERS
      ? `a text of ${characters} characters is too long to be read ${reads * steps} times`
      : undefined;
  };
}

/** How many macros, or searches of a list, are within each other at most. */
function depthOf(node: ASTNode): number {
  const over = iteratedIn(node);
  const deepest = childrenOf(node).map((each) => depthOf(each) + stepOf(each, over));
  return Math.max(over !== undefined || isSearch(node) ? 1 : 0, ...deepest);
}

/** Of what is written out there are few. */
function isSearch(node: ASTNode): boolean {
  return node.op === 'in' && node.args[1].op !== 'list';
}

/** What a macro is called on is evaluated once. */
function stepOf(child: ASTNode, over: ASTNode | undefined): number {
  return over === undefined || child === over ? 0 : 1;
}

/** It is something of the object, or of what is written out: not longer than that. */
function isRead(node: ASTNode): boolean {
  if (!READING.has(node.op)) return false;
  if (node.op !== 'rcall') return childrenOf(node).every(isRead);
  const [name, receiver, args] = node.args;
  if (!KEEPING.has(name)) return false;
  return isRead(receiver) && (MACROS.has(name) || args.every(isRead));
}

function iteratedIn(node: ASTNode): ASTNode | undefined {
  return node.op === 'rcall' && MACROS.has(node.args[0]) ? node.args[1] : undefined;
}

function isReading(node: ASTNode): boolean {
  return node.op === 'id' || (calledIn(node) !== undefined && iteratedIn(node) === undefined);
}

function calledIn(node: ASTNode): string | undefined {
  return node.op === 'rcall' || node.op === 'call' ? node.args[0] : undefined;
}

function allIn(node: ASTNode): ASTNode[] {
  return [node, ...childrenOf(node).flatMap(allIn)];
}

function childrenOf({ args }: ASTNode): ASTNode[] {
  const all: unknown[] = [args].flat(3);
  return all.filter(isNode);
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value;
}

/** Items of its longest list or map, and characters of its longest text or key. */
function longestIn(value: unknown): { items: number; characters: number } {
  if (typeof value === 'string') return { items: 0, characters: value.length };
  if (typeof value !== 'object' || value === null) return { items: 0, characters: 0 };
  const entries: [string, unknown][] = Object.entries(value);
  const longest = { items: entries.length, characters: 0 };
  for (const [key, item] of entries) {
    const { items, characters } = longestIn(item);
    longest.items = Math.max(longest.items, items);
    longest.characters = Math.max(longest.characters, key.length, characters);
  }
  return longest;
}
