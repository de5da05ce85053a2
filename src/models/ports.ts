/** What the store needs of others: an engine that opens models, and a log. */
import type { ServePlan, StartReport } from '../core/model.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';

/** The one answer to a request that a gate asks. `status` 0: a V2 response; else an error number and its message. */
export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly headLength: number;
}

/** The part of the engine that the store needs. Nothing of it runs on the loop. */
export interface ModelLoader {
  open(options: OpenOptions): Promise<OpenedModel>;
  /** Warm-up makes no batch of more than `warmUpRows`; left out: of `maxBatchRows`. */
  start(handle: number, plan: ServePlan, warmUpRows?: number): Promise<StartReport>;
  /** One V2 request to a started version; `headLength` -1: all JSON. */
  ask(handle: number, headLength: number, body: Uint8Array): Promise<Answer>;
  /** Waits for accepted requests, then frees. */
  close(handle: number): Promise<void>;
}

export interface StoreLog {
  debug?(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
