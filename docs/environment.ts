type Program = 'CLI' | 'server' | 'build worker' | 'deploy worker' | 'start';

interface Variable {
  name: string;
  programs: Program[];
  /** In words; absent where there is none. */
  fallback?: string;
  description: string;
}

/** Every variable that a `main.ts` reads; a test holds this list against them. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'WINDLASS_URL',
    programs: ['CLI'],
    description: 'Address of the server; taken before any login, together with `WINDLASS_TOKEN`',
  },
  { name: 'WINDLASS_TOKEN', programs: ['CLI'], description: 'Token for it' },
  {
    name: 'XDG_CONFIG_HOME',
    programs: ['CLI'],
    fallback: '`~/.config`',
    description: 'Folder in which the login is kept, as `windlass/config.json`',
  },
  { name: 'NO_COLOR', programs: ['CLI'], description: 'Set to anything: no colours' },
  { name: 'TERM', programs: ['CLI'], description: '`dumb`: no colours' },
];

export function environmentReference(): string {
  const rows = VARIABLES.map(
    ({ name, programs, fallback = '', description }) =>
      `| \`${name}\` | ${programs.join(', ')} | ${fallback} | ${description} |`,
  );
  return ['| Variable | Read by | Default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
