import { UserError } from '#core/errors.ts';
import { ASKED } from '#core/kubernetes/marks.ts';
import { displayKey } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

/** When something runs that is made for one release only. */
type HookPhase = 'before' | 'sync' | 'after' | 'failure';
type DeletePolicy = 'before-creation' | 'succeeded' | 'failed';

export interface HookRun {
  phase: HookPhase;
  /** Whether it is for an owner's first release, for all others, or for both. */
  on: 'install' | 'upgrade' | 'both';
  deletion: readonly DeletePolicy[];
}

interface Dialect {
  hook: string;
  deletion: string;
  /** What its words mean; `never` is a time that does not come. */
  phases: Readonly<Record<string, Pick<HookRun, 'phase' | 'on'> | 'never'>>;
  policies: Readonly<Record<string, DeletePolicy>>;
}

export const HELM_HOOK = 'helm.sh/hook';

/** In the order in which they count: the first that an object has. */
const DIALECTS: readonly Dialect[] = [
  {
    hook: ASKED.hook,
    deletion: ASKED.hookDelete,
    phases: {
      before: { phase: 'before', on: 'both' },
      sync: { phase: 'sync', on: 'both' },
      after: { phase: 'after', on: 'both' },
      failure: { phase: 'failure', on: 'both' },
    },
    policies: { 'before-creation': 'before-creation', succeeded: 'succeeded', failed: 'failed' },
  },
  {
    hook: 'argocd.argoproj.io/hook',
    deletion: 'argocd.argoproj.io/hook-delete-policy',
    phases: {
      PreSync: { phase: 'before', on: 'both' },
      Sync: { phase: 'sync', on: 'both' },
      PostSync: { phase: 'after', on: 'both' },
      SyncFail: { phase: 'failure', on: 'both' },
    },
    policies: {
      BeforeHookCreation: 'before-creation',
      HookSucceeded: 'succeeded',
      HookFailed: 'failed',
    },
  },
  {
    hook: HELM_HOOK,
    deletion: 'helm.sh/hook-delete-policy',
    phases: {
      'pre-install': { phase: 'before', on: 'install' },
      'pre-upgrade': { phase: 'before', on: 'upgrade' },
      'post-install': { phase: 'after', on: 'install' },
      'post-upgrade': { phase: 'after', on: 'upgrade' },
      'pre-rollback': 'never',
      'post-rollback': 'never',
      'pre-delete': 'never',
      'post-delete': 'never',
      test: 'never',
      'test-success': 'never',
    },
    policies: {
      'before-hook-creation': 'before-creation',
      'hook-succeeded': 'succeeded',
      'hook-failed': 'failed',
    },
  },
];

/** What else says in which order things come. */
const OTHER_WAVES = ['argocd.argoproj.io/sync-wave', 'helm.sh/hook-weight'];

/**
 * The times at which it runs, where it is a hook; of one of Helm's that is for none of them there are none.
 *
 * @throws UserError `invalid-input` for words that are not known, or for times that are not offered
 */
export function hookRunsOf(resource: Resource): HookRun[] | undefined {
  const notes = resource.metadata.annotations ?? {};
  const dialect = DIALECTS.find(({ hook }) => notes[hook] !== undefined);
  if (dialect === undefined) return undefined;
  const { hook, deletion, phases, policies } = dialect;
  const rules = listed(notes[deletion]).map((word) => meaning(resource, deletion, policies, word));
  const runs = new Map<HookPhase, HookRun>();
  for (const word of listed(notes[hook])) {
    const run = meaning(resource, hook, phases, word);
    if (run === 'never') continue;
    const before = runs.get(run.phase);
    const on = before === undefined || before.on === run.on ? run.on : 'both';
    runs.set(run.phase, { phase: run.phase, on, deletion: rules });
  }
  return [...runs.values()];
}

/** The annotation that makes it a hook. */
export function hookNote({ metadata: { annotations } }: Resource): string | undefined {
  return DIALECTS.find(({ hook }) => annotations?.[hook] !== undefined)?.hook;
}

/** The annotation that says its wave, and what that says. */
export function waveNote({ metadata: { annotations } }: Resource): [string, string] {
  const names: string[] = [ASKED.wave, ...OTHER_WAVES];
  const name = names.find((each) => annotations?.[each] !== undefined) ?? ASKED.wave;
  return [name, annotations?.[name] ?? '0'];
}

function meaning<T>(
  resource: Resource,
  annotation: string,
  words: Readonly<Record<string, T>>,
  word: string,
): T {
  const found = Object.hasOwn(words, word) ? words[word] : undefined;
  if (found !== undefined) return found;
  throw new UserError(
    'invalid-input',
    `${displayKey(keyOf(resource))}: annotation ${annotation}: ${word} is not taken, only ${Object.keys(words).join(', ')}`,
  );
}

function listed(text = ''): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}
