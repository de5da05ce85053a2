/**
 * What routing, tables and readiness see of the loaded models: one immutable picture, replaced as a whole whenever a
 * version changes its state. Whoever holds a picture may keep reading it; it never changes under the reader.
 */
import type { ModelSignature, ServePlan, StartReport, VersionState } from './model.js';

export interface VersionEntry {
  readonly modelName: string;
  /** Decimal, without leading zeros. */
  readonly version: string;
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
}

export interface ModelEntry {
  readonly name: string;
  /** e.g. `onnxruntime_onnx`. */
  readonly platform: string;
  /** Ascending by number. */
  readonly versions: ReadonlyMap<string, VersionEntry>;
  /** Serves requests that name no version: the highest that is READY. */
  readonly defaultVersion: VersionEntry | undefined;
  /** Why the model as a whole has no versions, e.g. a broken config file; '' otherwise. */
  readonly reason: string;
  /** At least one version, and every version READY; those unloaded on purpose do not count. */
  readonly isReady: boolean;
}

export interface Snapshot {
  /** In the order of the names. */
  readonly models: ReadonlyMap<string, ModelEntry>;
}

export const EMPTY_SNAPSHOT: Snapshot = { models: new Map() };
