import { describe, expect, it } from 'vitest';
import { RELEASES_KEPT } from '#core/collect.ts';
import { Image, Keep } from '#core/declarations/pipeline.ts';
import { keptImages } from '#core/kept-images.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Run } from '#core/run/run.ts';

function run(commit: string, change: Partial<Run> = {}): Run {
  const spec = {
    source: { branches: ['main'] as [string] },
    images: [Image.parse({ name: 'web' })],
    deploy: [],
    timeoutSeconds: 60,
    keep: Keep.parse({}),
  };
  const trigger = { kind: 'push' as const, ref: 'refs/heads/main', after: commit, who: 'ann' };
  const fresh = newRun({ id: commit, pipeline: 'hello', spec, trigger, at: 0 });
  return { ...fresh, state: 'succeeded', images: { web: `r/hello/web@${commit}` }, ...change };
}

function deployed(commit: string): Run {
  const deploys = [
    { entry: 'local', cluster: 'local', state: 'succeeded' as const, release: commit },
  ];
  return run(commit, { deploys });
}

function kept(runs: readonly Run[]): { tags: string[]; references: string[] } {
  const { tags, references } = keptImages(runs, (pipeline, image) => `r/${pipeline}/${image}`);
  return { tags: [...tags], references: [...references] };
}

describe('keptImages', () => {
  it('keeps the newest five commits, and counts none that was not built', () => {
    const failed = run('f', { state: 'failed', images: {} });
    const runs = [failed, ...['6', '5', '5', '4', '3', '2', '1'].map((commit) => run(commit))];
    expect(kept(runs).tags).toEqual(['6', '5', '4', '3', '2'].map((each) => `r/hello/web:${each}`));
  });

  it('keeps what a run builds that goes on', () => {
    const open = run('x', { state: 'running', images: {} });
    expect(
      kept(['6', '5', '4', '3', '2', '1'].map((each) => run(each)).concat(open)).tags,
    ).toContain('r/hello/web:x');
  });

  it('keeps the newest releases of an entry', () => {
    const runs = Array.from({ length: RELEASES_KEPT + 3 }, (_, index) => deployed(`c${index}`));
    const { references } = kept(runs);
    expect(references).toContain(`r/hello/web@c${RELEASES_KEPT - 1}`);
    expect(references).not.toContain(`r/hello/web@c${RELEASES_KEPT}`);
  });
});
