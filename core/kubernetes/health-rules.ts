import { Environment } from '@marcbachmann/cel-js';
import { z } from 'zod';
import { costProblem, stepsProblem } from '#core/kubernetes/expression-cost.ts';
import type { Health } from '#core/health.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import { messageOf } from '#core/errors.ts';

const LONGEST = 1_000;

/** Expressions see one thing: the object as the API server tells it. */
const CEL = new Environment({
  unlistedVariablesAreDyn: false,
  enableOptionalTypes: true,
  limits: {
    maxAstNodes: 500,
    maxDepth: 30,
    maxListElements: 100,
    maxMapEntries: 100,
    maxCallArguments: 10,
  },
}).registerVariable('object', 'map');

/** What is wrong with an expression; absent where nothing is. */
function expressionProblem(text: string, result: 'bool' | 'string'): string | undefined {
  try {
    const parsed = CEL.parse(text);
    const cost = costProblem(parsed.ast);
    if (cost !== undefined) return cost;
    const { type = 'dyn', error } = parsed.check();
    if (error !== undefined) throw error;
    return type === 'dyn' || type === result ? undefined : `must be a ${result}, and is a ${type}`;
  } catch (error) {
    return `is no expression (CEL): ${firstLine(error)}`;
  }
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}

function Expression(result: 'bool' | 'string'): z.ZodString {
  return z
    .string()
    .min(1)
    .max(LONGEST)
    .superRefine((text, context) => {
      const message = expressionProblem(text, result);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
}

/** How objects of a kind are, by expressions in CEL, where `object` is one of them. */
export const HealthRule = z
  .strictObject({
    group: z
      .string()
      .default('')
      .describe('API group of the kind, without its version; e.g. cert-manager.io'),
    kind: z.string().min(1).describe('The kind, e.g. Certificate'),
    failed: Expression('bool').optional().describe('True: it will not get well by itself'),
    progressing: Expression('bool').optional().describe('True: it is on its way'),
    healthy: Expression('bool')
      .optional()
      .describe('True: it is well; false or absent there: it is on its way'),
    message: Expression('string').optional().describe('A text for a person, told with it'),
  })
  .refine(
    ({ failed, progressing, healthy }) => (failed ?? progressing ?? healthy) !== undefined,
    'must have one of failed, progressing and healthy at least',
  );
export type HealthRule = z.infer<typeof HealthRule>;

/** Judges an object of its kind. */
export type JudgeHealth = (object: LiveObject) => Seen;

/** By `group/Kind`. */
export function judgesOf(rules: readonly HealthRule[]): ReadonlyMap<string, JudgeHealth> {
  return new Map(rules.map((rule) => [`${rule.group}/${rule.kind}`, judgeOf(rule)]));
}

function judgeOf({ failed, progressing, healthy, message }: HealthRule): JudgeHealth {
  const ask = {
    failed: asking(failed),
    progressing: asking(progressing),
    healthy: asking(healthy),
    message: asking(message),
  };
  return (object) => {
    const seen = withWholeNumbers(object);
    const told = ask.message?.(seen);
    const text = typeof told?.value === 'string' ? told.value : '';
    function be(status: Health['status'], reason = text): Seen {
      return { health: { status, reason: status === 'Healthy' ? '' : reason }, summary: text };
    }
    const [isFailed, isUnderWay] = [ask.failed?.(seen), ask.progressing?.(seen)];
    if (isFailed?.value === true)
      return { ...be('Degraded', text || 'has failed by its health rule'), isFinal: true };
    if (isUnderWay?.value === true)
      return be('Progressing', text || 'is progressing by its health rule');
    const tooMuch = isFailed?.tooMuch ?? isUnderWay?.tooMuch;
    if (tooMuch !== undefined) return be('Progressing', tooMuch);
    if (ask.healthy === undefined) return be('Healthy');
    const { value, problem } = ask.healthy(seen);
    if (value === true) return be('Healthy');
    return be('Progressing', problem ?? (text || 'is not healthy by its health rule'));
  };
}

interface Said {
  value?: unknown;
  /** Why it says nothing, e.g. of a field that is not there yet. */
  problem?: string;
  /** The problem where it is that to ask costs too much: nothing may be taken to be well for that. */
  tooMuch?: string;
}

function asking(text: string | undefined): ((object: unknown) => Said) | undefined {
  if (text === undefined) return undefined;
  const evaluate = CEL.parse(text);
  const isTooMuch = stepsProblem(evaluate.ast);
  return (object) => {
    const cost = isTooMuch(object);
    if (cost !== undefined) {
      const problem = `its health rule says nothing: ${cost}`;
      return { problem, tooMuch: problem };
    }
    try {
      return { value: evaluate({ object }) as unknown };
    } catch (error) {
      return { problem: `its health rule says nothing yet: ${firstLine(error)}` };
    }
  };
}

/** With whole numbers as CEL counts with them. */
function withWholeNumbers(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(withWholeNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withWholeNumbers(each)]),
  );
}
