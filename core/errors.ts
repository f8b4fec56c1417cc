/** Every way in which an operator's input or surroundings can be wrong. The code is stable; messages are not. */
export type ErrorCode =
  | 'invalid-input'
  | 'not-found'
  | 'conflict'
  | 'unauthorized'
  | 'unsupported'
  | 'unavailable'
  | 'timeout'
  | 'cancelled'
  | 'build-failed'
  | 'test-failed'
  | 'deploy-failed'
  | 'missing-tool'
  | 'no-space';

/** Something the operator can fix. Anything else that is thrown is a bug. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** True where the same call may succeed later by itself: network, registry, a server that restarts. */
  readonly transient: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { hint?: string; transient?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
    this.transient = options.transient ?? false;
  }
}

/** One thing that is wrong with a file. `line` and `column` count from 1; `path` is the field, dotted. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  path: string;
  message: string;
  hint?: string;
}

/** `file:line:column: path: message (hint)`, as compilers print it, so that editors can jump there. */
export function formatProblem(problem: Problem): string {
  const field = problem.path === '' ? '' : ` ${problem.path}:`;
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`;
  return `${problem.file}:${problem.line}:${problem.column}:${field} ${problem.message}${hint}`;
}

/** Files that were refused, with every problem found in them. */
export class InvalidFiles extends UserError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('invalid-input', problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** What to tell of a thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
