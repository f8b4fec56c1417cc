import { describe, expect, it } from 'vitest';
import { roleHelp } from './environment.ts';

describe('the arguments of a role', () => {
  it('are none', () => {
    expect(roleHelp('server', [])).toBeUndefined();
    expect(() => roleHelp('build worker', ['--builds', '3'])).toThrow(
      '`--builds 3` is not an argument of it',
    );
  });

  it('may ask what it reads', () => {
    const help = roleHelp('deploy worker', ['--help']);
    expect(help).toContain('Usage: windlass worker deploy\n');
    expect(help).toMatch(/ {2}WINDLASS_SERVER_URL +Where the worker finds the server \[http:/);
    expect(help).not.toContain('WINDLASS_BUILDS');
  });
});
