/**
 * What an infer call fails with. The server's errors keep the code and number of docs/ws-protocol.md; those that the client
 * makes itself have number 0. An abort is no error of this kind: the call fails with the signal's own reason.
 */

/** Codes that only the client gives. */
export type ClientCode =
  /** The first connection could not be made; `cause` says why. */
  | 'CONNECT_FAILED'
  /** The connection ended before the answer came: the request may have run. */
  | 'CONNECTION_LOST'
  /** `close()` was called. */
  | 'CLOSED'
  /** As many requests wait in the client as may. */
  | 'CLIENT_QUEUE_FULL'
  /** The server sent what is no valid answer. */
  | 'BAD_ANSWER'
  /** The server speaks another protocol than this client. */
  | 'UNSUPPORTED_PROTOCOL';

export interface InferErrorFacts {
  /** Of the server's table; 0 where the client itself made the error. */
  readonly number?: number;
  readonly retryAfterMs?: number;
  readonly mayHaveRun?: boolean;
  readonly cause?: unknown;
}

export class InferError extends Error {
  /** For instance `SHAPE_MISMATCH`, `QUEUE_FULL`, `CONNECTION_LOST`. */
  readonly code: string;
  readonly number: number;
  /** After that time the same request may succeed; 0: waiting alone does not help. */
  readonly retryAfterMs: number;
  /** False where the request certainly did not run, so that sending it again repeats nothing. */
  readonly mayHaveRun: boolean;

  constructor(code: string, message: string, facts: InferErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'InferError';
    this.code = code;
    this.number = facts.number ?? 0;
    this.retryAfterMs = facts.retryAfterMs ?? 0;
    this.mayHaveRun = facts.mayHaveRun ?? false;
  }
}

/** Of the server's codes those after which the model may have run, wholly or in part. */
const MAY_HAVE_RUN: ReadonlySet<string> = new Set(['DEADLINE_PASSED', 'CANCELLED', 'RUN_FAILED', 'INTERNAL']);

export function serverError(code: string, message: string, number: number, retryAfterMs: number): InferError {
  const mayHaveRun = MAY_HAVE_RUN.has(code) || number === 0;
  return new InferError(code, message, { number, retryAfterMs, mayHaveRun });
}

export function clientError(code: ClientCode, message: string, facts?: InferErrorFacts): InferError {
  return new InferError(code, message, facts);
}
