/**
 * Commands that run behind an answer already given: each has a number to ask for. The newest are kept. Lives on the loop.
 */
import { SluiceError } from '../core/errors.js';

const MOST_KEPT = 1000;

export interface Operation {
  readonly id: string;
  /** `load`, `unload`, ... */
  readonly kind: string;
  readonly model: string;
  readonly version: string | undefined;
  readonly state: 'running' | 'done' | 'failed';
  /** Unix time. */
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** Of a command that failed. */
  readonly error: string;
  /** What a command that is done answered. */
  readonly result: unknown;
}

export type OperationSubject = Pick<Operation, 'kind' | 'model' | 'version'>;

export class Operations {
  private readonly kept = new Map<string, Operation>();
  private last = 0;

  constructor(
    private readonly reportFault: (error: unknown) => void,
    private readonly nowMs: () => number = Date.now,
  ) {}

  start(subject: OperationSubject, command: () => Promise<unknown>): Operation {
    this.last += 1;
    const started: Operation = {
      id: String(this.last),
      ...subject,
      state: 'running',
      startedMs: this.nowMs(),
      endedMs: undefined,
      error: '',
      result: undefined,
    };
    this.keep(started);
    // Within an async function, so that what a command throws at once is its end like any other.
    (async () => command())().then(
      (result) => {
        this.keep({ ...started, state: 'done', endedMs: this.nowMs(), result });
      },
      (error: unknown) => {
        const isTold = error instanceof SluiceError;
        if (!isTold) this.reportFault(error);
        const text = isTold ? error.message : 'internal error, see the log of the server';
        this.keep({ ...started, state: 'failed', endedMs: this.nowMs(), error: text });
      },
    );
    return started;
  }

  find(id: string): Operation | undefined {
    return this.kept.get(id);
  }

  /** Oldest first. */
  all(): Operation[] {
    return [...this.kept.values()];
  }

  private keep(operation: Operation): void {
    this.kept.set(operation.id, operation);
    if (this.kept.size <= MOST_KEPT) return;
    // Running ones are few, because loads are.
    for (const [id, { state }] of this.kept) {
      if (state === 'running') continue;
      this.kept.delete(id);
      return;
    }
  }
}
