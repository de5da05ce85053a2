/**
 * One limit for the time of several steps. Where it is up nobody waits any more, and what is under way ends by itself, or
 * never. Lives on the loop.
 */
import { SluiceError } from '../core/errors.js';

export interface LimitOptions {
  readonly ms: number;
  /** Calls `whenUp` after `ms`; answers what calls it off. */
  readonly schedule: (whenUp: () => void, ms: number) => () => void;
}

function scheduleTimer(whenUp: () => void, ms: number): () => void {
  const timer = setTimeout(whenUp, ms);
  return () => {
    clearTimeout(timer);
  };
}

export const FIRST_RUN_LIMIT: LimitOptions = { ms: 120_000, schedule: scheduleTimer };
export const NO_LIMIT: LimitOptions = { ms: 0, schedule: () => () => undefined };

export class TimeLimit {
  /** Takes the limit away. */
  readonly end: () => void;
  private readonly up: Promise<void>;

  constructor(private readonly options: LimitOptions) {
    let end = (): void => undefined;
    this.up = new Promise((resolve) => {
      end = options.schedule(resolve, options.ms);
    });
    this.end = end;
  }

  /** What comes of `step`; throws where the time is up before. `what` says what took it. */
  async within<T>(what: string, step: Promise<T>): Promise<T> {
    const tooLong = this.up.then((): never => {
      throw new SluiceError(
        'MODEL_INVALID',
        `${what} took more than the ${this.options.ms} ms of all first runs; a run that hangs keeps its memory and its thread`,
      );
    });
    return Promise.race([step, tooLong]);
  }

  /** Until `step` is over, or the time is up. */
  async atMost(step: Promise<void>): Promise<void> {
    await Promise.race([step, this.up]);
  }
}
