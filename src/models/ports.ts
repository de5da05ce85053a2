/** What the store needs of others: an engine that opens models, and a log. */
import type { ModelSignature, ServePlan, StartReport } from '../core/model.js';
import type { VersionFile } from '../core/snapshot.js';

/** A file and the hash that it must have. */
export type ExpectedFile = Pick<VersionFile, 'name' | 'sha256'>;

export interface OpenOrder {
  /** The `.onnx` file. */
  readonly path: string;
  /** External data must lie inside; names of files count from here. */
  readonly directory: string;
  /** Made for copies of external data while the model loads, and removed again. */
  readonly privateDirectory: string;
  /** Every file must be among these; empty = any file is taken. */
  readonly expected?: readonly ExpectedFile[];
  /** 0 or left out: one. */
  readonly intraOpThreads?: number;
  readonly interOpThreads?: number;
  /** One for each intra-op thread beside the one that calls; empty: wherever the system puts them. */
  readonly intraOpCpus?: readonly number[];
  readonly executionMode?: 'sequential' | 'parallel';
  readonly usesArena?: boolean;
  readonly usesMemoryPattern?: boolean;
  readonly providers?: readonly string[];
}

export interface Opened extends ModelSignature {
  readonly handle: number;
  readonly files: readonly VersionFile[];
  readonly loadedBytes: number;
}

/** The one answer to a request that a gate asks. `status` 0: a V2 response; else an error number and its message. */
export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly headLength: number;
}

/** The part of the engine that the store needs. Nothing of it runs on the loop. */
export interface ModelLoader {
  open(order: OpenOrder): Promise<Opened>;
  start(handle: number, plan: ServePlan): Promise<StartReport>;
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
