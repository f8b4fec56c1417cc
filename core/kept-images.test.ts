import { describe, expect, it } from 'vitest';
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
    notify: [],
  };
  const trigger = { kind: 'push' as const, ref: 'refs/heads/main', after: commit, who: 'ann' };
  const fresh = newRun({ id: commit, pipeline: 'hello', spec, trigger, at: 0 });
  return { ...fresh, state: 'succeeded', images: { web: `r/hello/web@${commit}` }, ...change };
}

function kept(
  runs: readonly Run[],
  released: readonly string[] = [],
): { tags: string[]; references: string[] } {
  const { tags, references } = keptImages(
    runs,
    released,
    (pipeline, image) => `r/${pipeline}/${image}`,
  );
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

  it('keeps what releases name, whatever became of their runs', () => {
    const runs = Array.from({ length: 9 }, (_, index) => run(`c${index}`));
    const { references } = kept(runs, ['r/hello/web@old', 'docker.io/redis@x']);
    expect(references).toEqual(expect.arrayContaining(['r/hello/web@old', 'docker.io/redis@x']));
    expect(references).toContain('r/hello/web@c4');
    expect(references).not.toContain('r/hello/web@c5');
  });
});
