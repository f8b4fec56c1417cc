/** One measured figure beside its peer's, from one run. */
export interface Figure {
  name: string;
  /** Milliseconds, medians. */
  ours: number;
  peer: number;
  /** `ours / peer`. */
  ratio: number;
  /** The largest ratio that is good. */
  target: number;
  met: boolean;
  /** What was measured against what. */
  how: string;
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

function median(times: readonly number[]): number {
  return Math.round(
    times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN,
  );
}
