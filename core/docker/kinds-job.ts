import { z } from 'zod';
import { Label } from '#core/docker/kind-words.ts';

const MOST = 2 ** 31 - 1;
const MOST_RULES = 20;
const MOST_EXIT_CODES = 255;

const ExitCodes = z
  .strictObject({
    containerName: Label.optional(),
    operator: z.enum(['In', 'NotIn']),
    values: z.array(z.int()).min(1).max(MOST_EXIT_CODES),
  })
  .refine(({ operator, values }) => operator !== 'In' || !values.includes(0), {
    path: ['values'],
    message: 'must not have 0: a container that ends with it has not failed',
  })
  .refine(
    ({ values }) => values.every((code, index) => index === 0 || code > (values[index - 1] ?? 0)),
    {
      path: ['values'],
      message: 'must ascend',
    },
  );

const Condition = z.strictObject({
  type: z.literal(
    'DisruptionTarget',
    'must be DisruptionTarget: nothing gives a pod another condition here',
  ),
  status: z.literal('True', 'must be True: a pod has the condition, or has not').default('True'),
});

const FailureRule = z
  .strictObject({
    action: z.enum(['FailJob', 'FailIndex', 'Ignore', 'Count']),
    onExitCodes: ExitCodes.optional(),
    onPodConditions: z.array(Condition).min(1).max(MOST_RULES).optional(),
  })
  .refine(
    ({ onExitCodes, onPodConditions }) =>
      (onExitCodes === undefined) !== (onPodConditions === undefined),
    'must have one of onExitCodes and onPodConditions',
  );
export type FailureRule = z.infer<typeof FailureRule>;

const SuccessRule = z
  .strictObject({
    succeededIndexes: z
      .string()
      .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'must be indexes such as 0,2-4')
      .optional(),
    succeededCount: z.int().min(1).optional(),
  })
  .refine(
    (rule) => Object.values(rule).some((value) => value !== undefined),
    'must have succeededIndexes or succeededCount',
  );
export type SuccessRule = z.infer<typeof SuccessRule>;

/** What a Job's spec says beside its template. */
export const JobFields = {
  parallelism: z.int().min(0).max(1_000).optional(),
  completions: z.int().min(0).max(1_000).optional(),
  completionMode: z.enum(['NonIndexed', 'Indexed']).default('NonIndexed'),
  backoffLimit: z.int().min(0).max(MOST).optional(),
  backoffLimitPerIndex: z.int().min(0).max(MOST).optional(),
  maxFailedIndexes: z.int().min(0).max(MOST).optional(),
  podFailurePolicy: z.strictObject({ rules: z.array(FailureRule).max(MOST_RULES) }).optional(),
  successPolicy: z.strictObject({ rules: z.array(SuccessRule).min(1).max(MOST_RULES) }).optional(),
  podReplacementPolicy: z.enum(['TerminatingOrFailed', 'Failed']).optional(),
  activeDeadlineSeconds: z.int().min(1).max(MOST).optional(),
  ttlSecondsAfterFinished: z.int().min(0).max(MOST).optional(),
  suspend: z.boolean().default(false),
} as const;

const DEFAULT_BACKOFF_LIMIT = 6;

/** None for all of them together where there is one for each index. */
export function backoffLimitOf({ backoffLimit, backoffLimitPerIndex }: JobFieldValues): number {
  return backoffLimit ?? (backoffLimitPerIndex === undefined ? DEFAULT_BACKOFF_LIMIT : MOST);
}

type JobFieldValues = z.infer<z.ZodObject<typeof JobFields>>;

/** First and last of each range of `0,2-4`: a manifest can name more indexes than there is memory for. */
export function rangesOf(text: string): [first: number, last: number][] {
  return text.split(',').map((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return [first, last];
  });
}

/** How many indexes they have, of ranges that ascend. */
export function sizeOf(ranges: ReturnType<typeof rangesOf>): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

interface Problem {
  path: (string | number)[];
  message: string;
}

type Checked = JobFieldValues & {
  template: {
    spec: {
      restartPolicy: string;
      containers: readonly { name: string }[];
      initContainers?: readonly { name: string }[] | undefined;
    };
  };
};

/** What of a Job's fields contradicts others, as the API server refuses it. */
export function jobProblems(spec: Checked): Problem[] {
  return [...completionProblems(spec), ...indexProblems(spec), ...policyProblems(spec)];
}

/** In Kubernetes several pods with no completions said take from a queue until one of them has ended well. */
function completionProblems({ parallelism = 1, completions }: Checked): Problem[] {
  return parallelism > 1 && completions === undefined
    ? [{ path: ['completions'], message: 'must be said: how many pods have to succeed' }]
    : [];
}

function indexProblems(spec: Checked): Problem[] {
  const { backoffLimitPerIndex, maxFailedIndexes, successPolicy, completions = 1 } = spec;
  const isIndexed = spec.completionMode === 'Indexed';
  const problems: Problem[] = [];
  if (backoffLimitPerIndex !== undefined && !isIndexed)
    problems.push({ path: ['backoffLimitPerIndex'], message: 'needs completionMode: Indexed' });
  if (backoffLimitPerIndex !== undefined && spec.template.spec.restartPolicy !== 'Never')
    problems.push({ path: ['backoffLimitPerIndex'], message: 'needs restartPolicy: Never' });
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    problems.push({ path: ['maxFailedIndexes'], message: 'needs backoffLimitPerIndex' });
  if ((maxFailedIndexes ?? 0) > completions)
    problems.push({ path: ['maxFailedIndexes'], message: 'is more than completions' });
  if (successPolicy !== undefined && !isIndexed)
    problems.push({ path: ['successPolicy'], message: 'needs completionMode: Indexed' });
  successPolicy?.rules.forEach(({ succeededIndexes, succeededCount = 0 }, index) => {
    const path = ['successPolicy', 'rules', index];
    const named = succeededIndexes === undefined ? undefined : rangesOf(succeededIndexes);
    const isAscending = named?.every(
      ([first, last], at) => first <= last && first > (named[at - 1]?.[1] ?? -1),
    );
    if (isAscending === false)
      problems.push({ path: [...path, 'succeededIndexes'], message: 'must ascend' });
    if (named?.some(([, last]) => last >= completions))
      problems.push({ path: [...path, 'succeededIndexes'], message: 'is beyond completions' });
    if (succeededCount > (named === undefined ? completions : sizeOf(named)))
      problems.push({ path: [...path, 'succeededCount'], message: 'is more than there are' });
  });
  return problems;
}

function policyProblems(spec: Checked): Problem[] {
  const { podFailurePolicy, podReplacementPolicy, backoffLimitPerIndex, template } = spec;
  if (podFailurePolicy === undefined) return [];
  const { containers, initContainers = [], restartPolicy } = template.spec;
  const names = [...containers, ...initContainers].map(({ name }) => name);
  const problems: Problem[] = [];
  if (restartPolicy !== 'Never')
    problems.push({ path: ['podFailurePolicy'], message: 'needs restartPolicy: Never' });
  if (podReplacementPolicy === 'TerminatingOrFailed')
    problems.push({
      path: ['podReplacementPolicy'],
      message: 'must be Failed beside podFailurePolicy',
    });
  podFailurePolicy.rules.forEach(({ action, onExitCodes }, index) => {
    const path = ['podFailurePolicy', 'rules', index];
    const name = onExitCodes?.containerName;
    if (action === 'FailIndex' && backoffLimitPerIndex === undefined)
      problems.push({ path: [...path, 'action'], message: 'FailIndex needs backoffLimitPerIndex' });
    if (name !== undefined && !names.includes(name))
      problems.push({
        path: [...path, 'onExitCodes', 'containerName'],
        message: `there is no container ${name} in this pod`,
      });
  });
  return problems;
}
