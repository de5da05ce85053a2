/**
 * Words about models that several floors share: tensors, the serving plan of one version, its states.
 * A shape is outermost dimension first; -1 is a dimension that varies per request.
 */
import type { DataType } from './data-types.js';

export interface TensorInfo {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
}

/** What the model file itself says: shapes include the batch dimension where there is one. */
export interface ModelSignature {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/** One tensor as a request sees it: `dims` without the batch dimension; `modelDims` is what ONNX Runtime gets. */
export interface TensorPlan {
  readonly name: string;
  readonly datatype: DataType;
  readonly dims: readonly number[];
  readonly modelDims: readonly number[];
}

/** A request's priority for work that takes idle capacity only (shadow, bulk). No wire form reaches it. */
export const BACKGROUND_PRIORITY = 255;

export type Execution = 'auto' | 'inline' | 'worker';

/** Triton's ModelQueuePolicy for one level. */
export interface QueuePolicy {
  /** How long a request may wait; 0: as long as its deadline. */
  readonly timeoutUs: number;
  /** A request's own `timeout` counts where it is shorter. */
  readonly mayOverride: boolean;
  /** On a timeout: true moves the request behind all others of its level, false refuses it. */
  readonly delays: boolean;
  /** Requests that may wait; 0: as many as the other bounds allow. */
  readonly maxRequests: number;
}

/** Requests whose lengths differ share a run: their tensors are filled up to the next of `lengths`. Dimensions as in `dims`. */
export interface PaddingRule {
  /** They have one length in every request. `value` fills up. */
  readonly inputs: ReadonlyArray<{ readonly name: string; readonly dim: number; readonly value: number }>;
  /** Ascending; no request may be longer than the last. */
  readonly lengths: readonly number[];
  /** An input that is 1 for what a client sent and 0 for what was filled up; made where a request leaves it out. */
  readonly mask: { readonly name: string; readonly dim: number } | undefined;
  /** Outputs that are as long as the inputs: cut back to the length of each request. */
  readonly outputs: ReadonlyArray<{ readonly name: string; readonly dims: readonly number[] }>;
}

/** Everything the engine needs to serve an opened model; made from the completed ModelConfig. */
export interface ServePlan {
  readonly modelName: string;
  readonly versionName: string;
  /** 0: the model has no batch dimension, every request runs alone. */
  readonly maxBatchRows: number;
  readonly inputs: readonly TensorPlan[];
  readonly outputs: readonly TensorPlan[];
  readonly isBatching: boolean;
  readonly maxQueueDelayUs: number;
  readonly preferredBatchRows: readonly number[];
  /** Runs of this version that may happen at the same time; 0: as many as there are workers. */
  readonly instanceCount: number;
  /** Answers go out in the order of arrival, one run at a time. */
  readonly keepsOrder: boolean;
  /** Levels of priority, 1 is the highest. */
  readonly priorityLevels: number;
  readonly defaultPriority: number;
  /** By level, the first is that of level 1; empty where no policy is configured. */
  readonly queuePolicies: readonly QueuePolicy[];
  /** A request may have more rows than `maxBatchRows`; it is then run in pieces. */
  readonly maySplit: boolean;
  /** Share of the workers beside other versions. */
  readonly weight: number;
  /** Bytes of the requests that may wait; 0: the engine's default. */
  readonly maxQueueBytes: number;
  readonly padding: readonly PaddingRule[];
  readonly execution: Execution;
  /** Every request is answered within this time; 0: the server's `defaultDeadlineMs`. */
  readonly deadlineMs: number;
}

export type RunCosts = ReadonlyArray<readonly [rows: number, us: number]>;

/** What warm-up found out. */
export interface StartReport {
  readonly execution: 'inline' | 'worker';
  /** Rows that a batch is filled to: the knee of the cost table, at most `maxBatchRows`. */
  readonly batchLimitRows: number;
  readonly warmupMs: number;
  /** Measured run time: pairs of [rows, microseconds]; with a padding rule, at its shortest length. */
  readonly costUs: RunCosts;
  /** The same for each length of the padding rule; empty where there is none, or another dimension varies, too. */
  readonly costUsByLength: ReadonlyArray<readonly [length: number, costs: RunCosts]>;
}

export type VersionState =
  'LOADING' | 'WARMING' | 'VERIFYING' | 'READY' | 'DRAINING' | 'UNLOADED' | 'REJECTED';
