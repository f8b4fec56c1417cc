import { VARIABLES } from '#core/environment.ts';

export function environmentReference(): string {
  const rows = VARIABLES.map(
    ({ name, programs, fallback = '', description }) =>
      `| \`${name}\` | ${programs.join(', ')} | ${fallback} | ${description} |`,
  );
  return ['| Variable | Read by | Default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
