/** What git may inherit: where its programs are, and how this machine reaches the network. */
const INHERITED = [
  'PATH',
  'TMPDIR',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'SSH_AUTH_SOCK',
];

/**
 * A source is untrusted and nobody sits at the terminal: no hooks, prompts, submodules or background work. What git said is
 * there is there after a power cut too: by default it leaves loose objects to the disk's own time (git-config, core.fsync).
 */
const CONFIG: readonly ConfigPair[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.fsync', 'committed,reference'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  ['http.lowSpeedLimit', '1000'],
  ['http.lowSpeedTime', '30'],
  ['safe.directory', '*'],
  ['advice.detachedHead', 'false'],
];

export type ConfigPair = readonly [key: string, value: string];
export type Environment = Record<string, string>;

/** The whole environment of a git process. Configuration goes in here, not in arguments that `ps` would show. */
export function gitEnvironment(
  machine: Readonly<Record<string, string | undefined>>,
  config: readonly ConfigPair[] = [],
): Environment {
  const inherited = INHERITED.flatMap((name) => {
    const value = machine[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'https:http:ssh:file:git',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...configVariables([...CONFIG, ...config]),
  };
}

function configVariables(pairs: readonly ConfigPair[]): Environment {
  const variables = pairs.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(pairs.length), ...Object.fromEntries(variables) };
}
