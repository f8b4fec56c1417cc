import { dueAt } from '../docker/noted-times.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Of a server all its proxies, or one step of them. */
interface Trouble {
  node: string;
  /** Absent: all of the server. */
  step?: string;
  /** What was tried in vain, which tells one try from another. */
  tried: string;
  message: string;
}

interface Left extends Trouble {
  until: number;
}

/**
 * What could not be done on one server, and is left aside for a while, so that it keeps nothing from the others: a second
 * at first, longer each time that it is tried in vain. All times are ms since the epoch.
 */
export interface Aside {
  /** Of those the server is one. False where none of the others is left to do it: somebody has to be told of that. */
  leave(trouble: Trouble, others: readonly string[], now: number): boolean;
  /** It was done there after all: the next time is a first one. */
  done(node: string, tried: string): void;
  /** What the server waited for has come. */
  again(node: string): void;
  /** What was left long enough is tried again. */
  expire(now: number): void;
  isLeft(node: string): boolean;
  stepsLeft(node: string): string[];
  problems(): ReadonlyMap<string, string>;
  retries(): number[];
}

export function createAside(): Aside {
  const left = new Map<string, Left>();
  const delays = new Map<string, number>();

  return {
    leave(trouble, others, now) {
      const { node, step, tried } = trouble;
      const rest = others.filter((other) => other !== node);
      if (rest.every((other) => left.has(keyOf(other)) || left.has(keyOf(other, step))))
        return false;
      const key = keyOf(node, tried);
      const delayMs = Math.min(LONGEST_MS, (delays.get(key) ?? FIRST_MS / 2) * 2);
      delays.set(key, delayMs);
      left.set(keyOf(node, step), { ...trouble, until: now + delayMs });
      return true;
    },
    done(node, tried) {
      delays.delete(keyOf(node, tried));
    },
    again(node) {
      for (const [key, trouble] of left) if (trouble.node === node) left.delete(key);
    },
    expire(now) {
      for (const [key, { until }] of left)
        if (dueAt(until, LONGEST_MS, now) <= now) left.delete(key);
    },
    isLeft: (node) => left.has(keyOf(node)),
    stepsLeft: (node) =>
      [...left.values()].flatMap((trouble) => (trouble.node === node ? (trouble.step ?? []) : [])),
    problems: () => new Map([...left.values()].map(({ node, message }) => [node, message])),
    retries: () => [...left.values()].map(({ until }) => until),
  };
}

function keyOf(node: string, what = ''): string {
  return `${node}\n${what}`;
}
