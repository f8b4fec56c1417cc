/** Why the API server did not take an object. */
export interface Refusal {
  status: number;
  /** What the server said. */
  detail: string;
  causes: readonly { reason?: string; message?: string; field?: string }[];
}

export type RefusalKind = 'conflict' | 'immutable' | 'no-namespace' | 'invalid';

const FIXED =
  /immutable|may not change|updates to .* are forbidden|cannot be changed|can not be changed|can only be modified/i;

/** What kind of refusal it is. A plainly wrong object is never taken for one that only cannot be changed. */
export function refusalKind({ status, detail, causes }: Refusal): RefusalKind {
  if (status === 409 && causes.some(({ reason }) => reason === 'FieldManagerConflict'))
    return 'conflict';
  // It is going: it is made anew when it has gone.
  if (causes.some(({ reason }) => reason === 'NamespaceTerminating')) return 'no-namespace';
  if (status === 404 && /namespaces "[^"]*" not found/.test(detail)) return 'no-namespace';
  const isFixed = causes.length > 0 && causes.every((cause) => FIXED.test(cause.message ?? ''));
  return status === 422 && isFixed ? 'immutable' : 'invalid';
}

/** Fields and who manages them: `spec.replicas is set by kubectl-edit`. */
export function conflictText({ causes }: Refusal): string {
  return causes
    .filter(({ reason }) => reason === 'FieldManagerConflict')
    .map(({ field = '', message = '' }) => {
      const manager = /conflict with "([^"]*)"/.exec(message)?.[1] ?? 'another manager';
      return `${field.replace(/^\./, '')} is set by ${manager}`;
    })
    .join(', ');
}

/** Who may not do what to which kind, as authorization says it: nothing of what was sent is in it. */
const LACKED_RIGHT =
  /^[\w.]+ ("[\w.-]+" )?is forbidden: User "[^"]+" cannot \w+ resource "[\w./]+" in API group "[\w.]*"/;

/** What is wrong, without values: the server quotes them, and they may be secret. */
export function refusedFields({ causes, detail }: Refusal, isSecret: boolean): string {
  if (!isSecret) return detail;
  const right = LACKED_RIGHT.exec(detail)?.[0];
  if (right !== undefined) return right;
  const fields = causes.flatMap(({ field, reason }) =>
    field === undefined ? [] : `${field} (${reason ?? 'not right'})`,
  );
  return fields.length === 0 ? 'the API server does not take it' : fields.join(', ');
}
