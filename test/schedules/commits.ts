/** What becomes of a commit. */
export const QUALITIES = ['sound', 'sound', 'sound', 'does not build', 'does not serve'] as const;
export type Quality = (typeof QUALITIES)[number];

/** What was pushed, oldest first; the last one is the branch's head. */
export interface Commits {
  readonly ids: readonly string[];
  head(): string | undefined;
  qualityOf(id: string | undefined): Quality | undefined;
  add(quality: Quality): string;
}

export function createCommits(): Commits {
  const qualities = new Map<string, Quality>();
  const ids: string[] = [];
  return {
    ids,
    head: () => ids.at(-1),
    qualityOf: (id) => qualities.get(id ?? ''),
    add(quality) {
      const id = `c${ids.length}`;
      ids.push(id);
      qualities.set(id, quality);
      return id;
    },
  };
}
