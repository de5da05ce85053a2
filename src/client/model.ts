/**
 * What a server says about its models, and what a caller says about a request; shared by both ways to a server.
 */
import type { DataType, InputData, Tensor } from './data-types.js';

export interface TensorInfo {
  readonly name: string;
  readonly datatype: DataType | undefined;
  /** With the rows in front where the model batches; -1 varies. */
  readonly shape: readonly number[];
}

export interface ModelInfo {
  readonly name: string;
  /** Serves requests that name no version; undefined: none is ready. */
  readonly version: string | undefined;
  readonly versions: readonly string[];
  /** 0: the model has no batch dimension, or it is not known. */
  readonly maxRows: number;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/** An input with its own shape or data type, where the model's signature leaves more than one. */
export interface ShapedInput {
  readonly data: InputData;
  readonly shape?: readonly number[] | undefined;
  readonly datatype?: DataType | undefined;
}

export type Inputs = Readonly<Record<string, InputData | ShapedInput>>;

export interface InferOptions {
  /** Shape of every input that has none of its own, or shapes by name. Left out, it follows from the signature and the data. */
  readonly shape?: readonly number[] | Readonly<Record<string, readonly number[]>> | undefined;
  /** A version or an alias; left out: the server's choice. */
  readonly version?: string | undefined;
  /** The outputs that are wanted; left out or empty: all. */
  readonly outputs?: readonly string[] | undefined;
  /** Gives the request up; the call fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Time for the whole call, waiting in the client included; 0: none. */
  readonly deadlineMs?: number | undefined;
  /** 1 is the highest; 0: the model's default. */
  readonly priority?: number | undefined;
  /** Requests of one key go to one version while traffic is split. */
  readonly key?: string | undefined;
  /** True: the request may be sent again when the connection is lost before its answer, though it may have run. */
  readonly idempotent?: boolean | undefined;
  /** The W3C header of that name. */
  readonly traceparent?: string | undefined;
  /** The answer tells how long its stages took. */
  readonly times?: boolean | undefined;
}

/** Microseconds; a stage that did not happen is 0. */
export interface StageTimes {
  readonly decodeUs: number;
  readonly queueUs: number;
  readonly runUs: number;
  readonly encodeUs: number;
}

/** The data type of each output, where the caller wants it in the types: `infer<{ label: 'INT64' }>(...)`. */
export type OutputTypes = Readonly<Record<string, DataType>>;

export interface InferResult<Outputs extends OutputTypes = OutputTypes> {
  readonly model: string;
  /** The version that ran. */
  readonly version: string;
  readonly outputs: { readonly [Name in keyof Outputs]: Tensor<Outputs[Name]> };
  readonly times: StageTimes | undefined;
}

/** Both ways to a server. */
export interface InferClient {
  infer<Outputs extends OutputTypes = OutputTypes>(
    model: string,
    inputs: Inputs,
    options?: InferOptions,
  ): Promise<InferResult<Outputs>>;
  /** Resolves when a request would be sent at once. */
  ready(): Promise<void>;
  close(): void;
}
