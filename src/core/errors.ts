/**
 * The one table of errors: name, number (shared with the addon, compared at load), HTTP status, blame.
 * A client sees the message ("expected ... for ..., got ..."); a cause goes to the log only.
 * Numbers below 100 may come from the addon; those from 100 up exist on the TypeScript side alone.
 */
export interface ErrorRow {
  readonly number: number;
  readonly httpStatus: number;
  readonly blame: 'client' | 'server';
  /** True where the same request may succeed later without being changed. */
  readonly mayRetry: boolean;
}

function row(number: number, httpStatus: number, blame: ErrorRow['blame'], mayRetry = false): ErrorRow {
  return { number, httpStatus, blame, mayRetry };
}

export const ERRORS = {
  BAD_REQUEST: row(1, 400, 'client'),
  UNKNOWN_TENSOR: row(2, 400, 'client'),
  SHAPE_MISMATCH: row(3, 400, 'client'),
  TYPE_MISMATCH: row(4, 400, 'client'),
  TOO_LARGE: row(5, 413, 'client'),
  MODEL_NOT_FOUND: row(6, 404, 'client'),
  VERSION_NOT_FOUND: row(7, 404, 'client'),
  NOT_READY: row(8, 503, 'server', true),
  QUEUE_FULL: row(9, 503, 'server', true),
  DEADLINE_PASSED: row(10, 504, 'server', true),
  CANCELLED: row(11, 499, 'client'),
  DRAINING: row(12, 503, 'server', true),
  RUN_FAILED: row(13, 500, 'server'),
  INTERNAL: row(14, 500, 'server'),
  MODEL_INVALID: row(15, 400, 'client'),
  ROUTE_NOT_FOUND: row(100, 404, 'client'),
  METHOD_NOT_ALLOWED: row(101, 405, 'client'),
  UNSUPPORTED_ENCODING: row(102, 415, 'client'),
  CONFIG_INVALID: row(103, 400, 'client'),
  UNAUTHORIZED: row(104, 401, 'client'),
  FORBIDDEN: row(105, 403, 'client'),
  NOT_FOUND: row(106, 404, 'client'),
  CONFLICT: row(107, 409, 'client'),
  CHANGED_MEANWHILE: row(108, 412, 'client'),
  UNSUPPORTED_TYPE: row(109, 415, 'client'),
  CONTROL_MODE: row(110, 503, 'client'),
  DUPLICATE_ID: row(120, 409, 'client'),
  TOO_MANY_IN_FLIGHT: row(121, 429, 'client', true),
  UPGRADE_REQUIRED: row(122, 426, 'client'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorName = keyof typeof ERRORS;

const NAME_BY_NUMBER = new Map<number, ErrorName>(
  (Object.keys(ERRORS) as ErrorName[]).map((name) => [ERRORS[name].number, name]),
);

/** Name of an error number; an unknown number is an INTERNAL error. */
export function errorName(number: number): ErrorName {
  return NAME_BY_NUMBER.get(number) ?? 'INTERNAL';
}

/** An error with a row of the table; `message` is fit for a client. */
export class SluiceError extends Error {
  readonly code: ErrorName;

  constructor(code: ErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SluiceError';
    this.code = code;
  }

  get httpStatus(): number {
    return ERRORS[this.code].httpStatus;
  }
}
