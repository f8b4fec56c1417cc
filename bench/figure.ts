/** One measured figure beside its peer's, from one run. */
export interface Figure {
  name: string;
  /** Medians: milliseconds unless `how` says otherwise. */
  ours: number;
  peer: number;
  /** `ours / peer`. */
  ratio: number;
  /** The largest ratio that is good; the least where more is better. */
  target: number;
  met: boolean;
  /** What was measured against what. */
  how: string;
  /** Of the machine for each core before it began. */
  load?: number;
  /** Where the time goes: medians in milliseconds, in order. */
  parts?: readonly Part[];
  /** What else was measured in the same run. */
  beside?: { head: readonly string[]; rows: readonly (readonly (string | number)[])[] };
}

interface Part {
  name: string;
  ours?: number;
  peer?: number;
}

export function figure(
  name: string,
  times: { ours: number[]; peer: number[] },
  target: number,
  how: string,
): Figure {
  const [ours, peer] = [median(times.ours), median(times.peer)];
  const ratio = ours / peer;
  return { name, ours, peer, ratio, target, met: ratio <= target, how };
}

/** The medians of parts that are told round by round; a part is timed from the end of the one before. */
export function medianParts(
  rounds: readonly Readonly<Record<string, number>>[],
): Map<string, number> {
  const names = Object.keys(rounds[0] ?? {});
  return new Map(names.map((name) => [name, median(rounds.map((round) => round[name] ?? 0))]));
}

export function median(times: readonly number[]): number {
  return Math.round(
    times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN,
  );
}
