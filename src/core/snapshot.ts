/**
 * What routing, tables and readiness see of the loaded models: one immutable picture, replaced as a whole whenever a
 * version changes its state. Whoever holds a picture may keep reading it; it never changes under the reader.
 */
import type { ModelSignature, ServePlan, StartReport, VersionState } from './model.js';
import type { VersionUse } from './version-use.js';

/** One file of a version, as it was when it was read. */
export interface VersionFile {
  /** Inside the version's folder. */
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** How a version stood its golden answers. */
export interface GoldenReport {
  readonly cases: number;
  /** The largest difference, in tolerances; above 1 would have been refused. */
  readonly worstRatio: number;
  readonly slowestMs: number;
}

/** What loading found out about a version beside its tensors. */
export interface VersionFacts {
  readonly files: readonly VersionFile[];
  /** Over the names and hashes of all files, in hexadecimal: equal digests, equal bytes. */
  readonly digest: string;
  readonly fileBytes: number;
  /** Growth of the process while the session was made: an estimate, because others may have allocated too. */
  readonly loadedBytes: number;
  /** The completed configuration in Triton's JSON form. */
  readonly config: Readonly<Record<string, unknown>>;
  /** undefined where the version ships no golden answers. */
  readonly golden: GoldenReport | undefined;
  /** Unix time. */
  readonly readyAtMs: number;
}

/** One move of one load of a version; `sequence` only grows. */
export interface VersionEvent {
  readonly sequence: number;
  /** Unix time. */
  readonly timeMs: number;
  readonly modelName: string;
  readonly version: string;
  readonly generation: number;
  /** undefined: the load begins. */
  readonly from: VersionState | undefined;
  readonly to: VersionState;
  readonly reason: string;
}

export interface VersionEntry {
  readonly modelName: string;
  /** Decimal, without leading zeros. */
  readonly version: string;
  /** Grows with every load in the process: tells two loads of one version apart. */
  readonly generation: number;
  readonly state: VersionState;
  /** Why the version is REJECTED (fit for a client: no paths); '' otherwise. */
  readonly reason: string;
  /** The addon's number of the opened model; -1 unless the state is READY or DRAINING. */
  readonly handle: number;
  /** Known from WARMING on. */
  readonly plan: ServePlan | undefined;
  /** Shapes as V2 metadata states them: with a leading -1 where the model batches. Known from WARMING on. */
  readonly metadata: ModelSignature | undefined;
  /** Known from READY on. */
  readonly report: StartReport | undefined;
  /** Known from READY on. */
  readonly facts: VersionFacts | undefined;
  /** The folder on disk no longer holds what was loaded. What serves is what was loaded. */
  readonly isEdited: boolean;
  /** Requests on their way to the engine; the same object in every picture of this load. */
  readonly use: VersionUse;
}

export interface ModelEntry {
  readonly name: string;
  /** e.g. `onnxruntime_onnx`. */
  readonly platform: string;
  /** Ascending by number. */
  readonly versions: ReadonlyMap<string, VersionEntry>;
  /** Chosen by an operator to serve requests that name no version. */
  readonly pinnedVersion: string | undefined;
  /** Serves requests that name no version: the pinned one, else the highest, of those that are READY. */
  readonly defaultVersion: VersionEntry | undefined;
  /** Why the model as a whole has no versions, e.g. a broken config file; '' otherwise. */
  readonly reason: string;
  /**
   * At least one version, and every version READY; those unloaded on purpose do not count. A model that was ready once
   * stays so while one version serves, whatever becomes of its next version.
   */
  readonly isReady: boolean;
}

export interface Snapshot {
  /** In the order of the names. */
  readonly models: ReadonlyMap<string, ModelEntry>;
}

export const EMPTY_SNAPSHOT: Snapshot = { models: new Map() };
