import { describe, expect, it } from 'vitest';
import { acceptFor } from '#core/accept.ts';
import { formatProblem } from '#core/errors.ts';
import { parseSource } from '#core/sources/parse-source.ts';

function hook(when: string, note = 'helm.sh/hook'): { path: string; text: string }[] {
  const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: migrate
  annotations: { ${note}: ${when} }
`;
  return [{ path: 'a.yaml', text }];
}

describe('hooks', () => {
  it.each([
    ['docker', 'helm.sh/hook', 'hooks: false in the deploy entry leaves out those of a chart'],
    ['swarm', 'windlass.dev/hook', 'leave it out of what goes to this cluster'],
  ] as const)('are refused by engine %s, with their place', (engine, note, hint) => {
    const parsed = parseSource(hook('before', note), { images: [] });
    const told = `a.yaml:5:18: metadata.annotations["${note}"]: the ${engine} engine runs no hooks (${hint}`;
    expect(acceptFor(engine, parsed).map(formatProblem)).toEqual([expect.stringContaining(told)]);
  });

  it('are taken by engine kubernetes', () => {
    const parsed = parseSource(hook('pre-upgrade'), { images: [] });
    expect(acceptFor('kubernetes', parsed)).toEqual([]);
  });

  it('of a chart for times that do not come are left out', () => {
    const parsed = parseSource(hook('pre-delete'), { images: [], namespace: 'shop' });
    expect(parsed).toMatchObject({ resources: [], problems: [] });
  });
});
