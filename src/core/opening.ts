/** What it takes to open a version of a model, and what comes of it: the same for whoever asks and for the engine. Types only. */
import type { ModelSignature } from './model.js';
import type { VersionFile } from './snapshot.js';

/** A file and the hash that it must have. */
export type ExpectedFile = Pick<VersionFile, 'name' | 'sha256'>;

export interface OpenOptions {
  /** The `.onnx` file. */
  readonly path: string;
  /** External data must lie inside this directory; names of files count from here. */
  readonly directory: string;
  /** Made for copies of external data while the model loads, and removed again: a path where nothing is yet. */
  readonly privateDirectory: string;
  /** Every file must be among these; empty or left out: any file is taken. */
  readonly expected?: readonly ExpectedFile[];
  /** 0 or left out: one. */
  readonly intraOpThreads?: number;
  readonly interOpThreads?: number;
  /** One for each intra-op thread beside the one that calls; empty: wherever the system puts them. */
  readonly intraOpCpus?: readonly number[];
  readonly executionMode?: 'sequential' | 'parallel';
  readonly usesArena?: boolean;
  readonly usesMemoryPattern?: boolean;
  /** Left out: everything that ONNX Runtime knows. */
  readonly graphOptimization?: 'none' | 'basic' | 'extended';
  /** Execution providers in order of preference, e.g. `cuda`; the CPU always comes last. */
  readonly providers?: readonly string[];
}

export interface OpenedModel extends ModelSignature {
  /** Number of the version inside the addon. */
  readonly handle: number;
  /** What was loaded: the model file first, then external data. */
  readonly files: readonly VersionFile[];
  /** Growth of the process while the session was made; an estimate. */
  readonly loadedBytes: number;
}
