/**
 * One call of `infer` on its way: waiting, sent, or settled. Settled exactly once, whatever comes afterwards; then its timer
 * and its listener on the caller's signal are gone.
 */
import { onAbort } from './abort.js';
import { InferError } from './errors.js';
import type { InferOptions, InferResult, Inputs } from './model.js';
import type { Surroundings } from './socket.js';

/** A request that breaks every connection it is sent on is not sent for ever. */
export const MOST_RESENDS = 3;

/** Throws where a caller's number makes no sense. A time may have a fraction. */
export function checkNumber(
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): void {
  if (value >= least && value <= most && (name === 'deadlineMs' || Number.isInteger(value))) return;
  throw new InferError('BAD_REQUEST', `expected a number from ${least} to ${most} for ${name}, got ${value}`);
}

export class InferCall {
  isSettled = false;
  /** Times it was sent and has to be sent again. */
  resends = 0;
  /** It was sent, and nothing told that it did not run. */
  mayHaveRun = false;
  /** Takes a settled call off the connection or out of the queue; set by whoever has it. */
  onGivenUp: (() => void) | undefined;
  readonly promise: Promise<InferResult>;
  private resolve!: (result: InferResult) => void;
  private reject!: (reason: unknown) => void;
  private readonly deadlineAtMs: number;
  private readonly cancelTimer: (() => void) | undefined;
  private readonly stopWatching: (() => void) | undefined;

  constructor(
    readonly model: string,
    readonly inputs: Inputs,
    readonly options: InferOptions,
    deadlineMs: number,
    readonly isIdempotent: boolean,
    private readonly around: Surroundings,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.deadlineAtMs = deadlineMs === 0 ? Infinity : around.nowMs() + deadlineMs;
    if (deadlineMs > 0) this.cancelTimer = around.after(deadlineMs, this.onDeadline);
    const { signal } = options;
    if (signal !== undefined) this.stopWatching = onAbort(signal, this.onAbort);
  }

  /** Whole milliseconds left; 0: no deadline. One whose time has come still has 1, for its timer to end. */
  leftMs(): number {
    if (this.deadlineAtMs === Infinity) return 0;
    return Math.max(1, Math.ceil(this.deadlineAtMs - this.around.nowMs()));
  }

  succeed(result: InferResult): void {
    if (this.settle()) this.resolve(result);
  }

  fail(reason: unknown): void {
    if (this.settle()) this.reject(reason);
  }

  private settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.cancelTimer?.();
    this.stopWatching?.();
    return true;
  }

  private giveUp(reason: unknown): void {
    this.fail(reason);
    this.onGivenUp?.();
  }

  private readonly onAbort = (): void => {
    this.giveUp(this.options.signal?.reason);
  };

  private readonly onDeadline = (): void => {
    const message = 'The deadline passed before the answer came';
    this.giveUp(new InferError('DEADLINE_PASSED', message, { mayHaveRun: this.mayHaveRun }));
  };
}
