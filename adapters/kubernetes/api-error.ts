import { UserError } from '#core/errors.ts';
import type { ErrorCode } from '#core/errors.ts';

interface StatusCause {
  /** Kubernetes' word: FieldManagerConflict, FieldValueInvalid, … */
  reason?: string;
  message?: string;
  field?: string;
}

/** What the API server answers in place of what was asked for. */
export interface ApiStatus {
  message?: string;
  /** Kubernetes' word: NotFound, Conflict, Invalid, Expired, … */
  reason?: string;
  details?: { causes?: StatusCause[]; retryAfterSeconds?: number };
}

/** The API server refused a request. Codes are its HTTP statuses. */
export class ApiError extends UserError {
  readonly status: number;
  readonly reason: string;
  readonly causes: readonly StatusCause[];
  /** What the server said, without the request. */
  readonly detail: string;

  constructor(what: string, status: number, body: ApiStatus) {
    const { code, transient, hint } = kindOf(status);
    const detail = body.message ?? `the API server answered ${status}`;
    super(code, `${what}: ${detail}`, { transient, ...(hint === undefined ? {} : { hint }) });
    this.detail = detail;
    this.status = status;
    this.reason = body.reason ?? '';
    this.causes = body.details?.causes ?? [];
  }
}

export function isApiStatus(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}

function kindOf(status: number): { code: ErrorCode; transient: boolean; hint?: string } {
  if (status === 401)
    return {
      code: 'unauthorized',
      transient: false,
      hint: 'the credentials in the kubeconfig are not, or no longer, taken',
    };
  if (status === 403)
    return { code: 'unauthorized', transient: false, hint: 'give the account that right by RBAC' };
  if (status === 404) return { code: 'not-found', transient: false };
  if (status === 409) return { code: 'conflict', transient: true };
  if (status === 429 || status >= 500) return { code: 'unavailable', transient: true };
  return { code: 'invalid-input', transient: false };
}
