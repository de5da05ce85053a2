/** What a bench leaves behind: the generator's own result, and the report made of many. Plain data, written as JSON. */
import type { Percentile, StepCounts } from './histogram.js';

export interface LoadHistogram extends StepCounts {
  readonly count: number;
  readonly meanUs: number;
  readonly minUs: number;
  readonly maxUs: number;
  readonly percentiles: ReadonlyArray<{ readonly percent: number; readonly us: number }>;
}

export interface TimeSlot {
  readonly scheduled: number;
  readonly answered: number;
  readonly good: number;
  readonly refused: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** One run of sluice-load, as it prints it. */
export interface LoadResult {
  readonly mode: string;
  readonly protocol: string;
  readonly connections: number;
  readonly windowS: number;
  readonly offeredPerS: number | null;
  readonly achievedPerS: number;
  readonly goodPerS: number;
  readonly scheduled: number;
  readonly sent: number;
  readonly replies: number;
  readonly answered: number;
  readonly good: number;
  readonly givenUp: number;
  readonly verified: number;
  readonly waitedForConnection: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly errors: Readonly<
    Record<'connect' | 'broken' | 'badReplies' | 'unanswered' | 'mismatched', number>
  >;
  readonly latency: LoadHistogram;
  readonly sendLag: LoadHistogram;
  readonly turnedAway: LoadHistogram;
  readonly byName?: Readonly<Record<string, { readonly sent: number; readonly latency: LoadHistogram }>>;
  readonly timeline?: { readonly widthS: number; readonly slots: readonly TimeSlot[] };
  readonly threads: ReadonlyArray<{ readonly busyFraction: number }>;
  readonly valid: boolean;
  readonly reasons: readonly string[];
}

/** One round of a point, cut down to what is compared. */
export interface Round {
  readonly offeredPerS: number | null;
  readonly achievedPerS: number;
  readonly goodPerS: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** What the server says of itself for the time of a point. */
export interface ServerUse {
  readonly model: string;
  readonly requests: number;
  readonly rows: number;
  readonly runs: number;
  /** Microseconds of a request by stage, on average. */
  readonly stagesUs: Readonly<Record<string, number>>;
  /** Runs by batch size; empty where the server does not tell. */
  readonly runsByBatchSize: ReadonlyArray<readonly [number, number]>;
}

export interface Point {
  readonly label: string;
  readonly offeredPerS: number | null;
  readonly achievedPerS: number;
  readonly goodPerS: number;
  readonly rowsPerS: number;
  readonly replies: number;
  readonly percentiles: readonly Percentile[];
  /** [share, us] for plots. */
  readonly curve: ReadonlyArray<readonly [number, number]>;
  readonly maxUs: number;
  readonly byName: Readonly<Record<string, readonly Percentile[]>>;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly failures: number;
  readonly mismatched: number;
  readonly verified: number;
  readonly givenUp: number;
  readonly waitedForConnection: number;
  readonly turnedAwayP99Us: number | null;
  readonly sendLagP99Us: number;
  readonly generatorBusy: number;
  readonly rounds: readonly Round[];
  readonly timeline: { readonly widthS: number; readonly slots: readonly TimeSlot[] };
  readonly server: readonly ServerUse[];
  readonly valid: boolean;
  readonly reasons: readonly string[];
}

export interface BenchReport {
  readonly format: 'sluice-bench';
  readonly formatVersion: 1;
  readonly at: string;
  readonly mode: string;
  readonly url: string;
  readonly seed: number;
  readonly connections: number;
  readonly deadlineMs: number | null;
  readonly requests: readonly string[];
  readonly machine: Readonly<Record<string, string | number>>;
  readonly points: readonly Point[];
  /** What a mode found out beyond its points, by name. */
  readonly findings: Readonly<Record<string, number | string | null>>;
}
