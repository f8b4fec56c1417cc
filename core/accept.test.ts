import { describe, expect, it } from 'vitest';
import { acceptFor } from '#core/accept.ts';
import { formatProblem } from '#core/errors.ts';
import { parseSource } from '#core/sources/parse-source.ts';

function hook(when: string): { path: string; text: string }[] {
  const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: migrate
  annotations: { helm.sh/hook: ${when} }
`;
  return [{ path: 'a.yaml', text }];
}

describe('hooks', () => {
  it.each([
    ['docker', ['the docker engine runs no hooks']],
    ['swarm', ['the swarm engine runs no hooks']],
    ['kubernetes', []],
  ] as const)('engine %s', (engine, told) => {
    const parsed = parseSource(hook('pre-upgrade'), { images: [] });
    const problems = acceptFor(engine, parsed).map(formatProblem);
    expect(problems).toEqual(told.map((each) => expect.stringContaining(each)));
  });

  it('of a chart for times that do not come are left out', () => {
    const parsed = parseSource(hook('pre-delete'), { images: [], namespace: 'shop' });
    expect(parsed).toMatchObject({ resources: [], problems: [] });
  });
});
