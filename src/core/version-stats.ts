/**
 * What is counted about one model version: the addon keeps the numbers, one call reads them all, and metrics, V2 statistics
 * and tables are made of them. The lists of names and the bounds of the buckets are compared with the addon's at load.
 */
import { ERRORS, type ErrorName } from './errors.js';

/** Where the time of a request goes, in order. */
export const STAGES = [
  'receive',
  'decode',
  'queue',
  'batch_wait',
  'gather',
  'run',
  'encode',
  'send',
] as const;
export type Stage = (typeof STAGES)[number];

/** How a request ended. */
export const OUTCOMES = ['ok', 'failed', 'cancelled', 'expired', 'refused'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Why a batch was let go when it was. */
export const RELEASES = ['full', 'preferred', 'delay_over', 'idle_worker', 'tick_end'] as const;

export const PROTOCOLS = ['http', 'ws'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const STEP_BITS = 3;
const UNIT_NS = 125;
/** Powers of two above the first microsecond. */
export const OCTAVES = 27;
export const BUCKETS = ((OCTAVES + 1) << STEP_BITS) + 1;

/** Bucket i holds the durations above the bound of bucket i - 1, up to and with this one; the last bucket has none: -1. */
export function bucketUpperNs(bucket: number): number {
  if (bucket >= BUCKETS - 1) return -1;
  if (bucket < 2 << STEP_BITS) return (bucket + 1) * UNIT_NS;
  const shift = (bucket >> STEP_BITS) - 1;
  return ((bucket & 7) + 9) * 2 ** shift * UNIT_NS;
}

export interface DurationCounts {
  /** By bucket; not cumulative. */
  readonly counts: Float64Array;
  readonly sumNs: bigint;
}

export interface ProtocolStats {
  readonly protocol: Protocol;
  /** In the order of STAGES; requests that ran. */
  readonly stages: readonly DurationCounts[];
  /** From the first byte of the body to the encoded reply. */
  readonly ok: DurationCounts;
  readonly failed: DurationCounts;
  /** In the order of OUTCOMES. */
  readonly outcomes: Float64Array;
  readonly requestBytes: number;
  readonly replyBytes: number;
}

export interface BatchSizeStats {
  readonly rows: number;
  readonly runs: number;
  readonly gatherNs: bigint;
  readonly runNs: bigint;
  readonly encodeNs: bigint;
}

export interface VersionStats {
  /** Those that somebody used. */
  readonly protocols: readonly ProtocolStats[];
  /** Requests that ended with an error, by its number. */
  readonly errors: Float64Array;
  /** In the order of RELEASES. */
  readonly releases: Float64Array;
  /** Ascending. */
  readonly batchSizes: readonly BatchSizeStats[];
  /** Elements of padded inputs that were run, masks aside, and those of them that only filled up. */
  readonly paddedElements: number;
  readonly paddingElements: number;
  readonly okRows: number;
  readonly failedRuns: number;
  /** Requests accepted and not yet taken into a batch. */
  readonly waiting: number;
  /** Requests accepted and not yet answered. */
  readonly inFlight: number;
  /** Memory of its batches, inputs and outputs, as far as it stays between runs. */
  readonly slabBytes: number;
  /** What the session's arena has from the system; left out where it has none, or the library does not tell. */
  readonly arenaBytes?: number;
  /** Since the epoch; 0 = never. */
  readonly lastOkMs: number;
  /** Runs that have gone on for far longer than runs of this version take. */
  readonly hungRuns: number;
  /** All instances are in such runs: the version answers nobody. */
  readonly isHung: boolean;
  /** The newest run failure, for the log; clients get a general message. */
  readonly lastFailure: string;
}

const EMPTY: DurationCounts = { counts: new Float64Array(BUCKETS), sumNs: 0n };

export function countOf(durations: DurationCounts): number {
  return durations.counts.reduce((sum, count) => sum + count, 0);
}

export function merge(all: readonly DurationCounts[]): DurationCounts {
  if (all.length <= 1) return all[0] ?? EMPTY;
  const counts = new Float64Array(BUCKETS);
  let sumNs = 0n;
  for (const one of all) {
    sumNs += one.sumNs;
    one.counts.forEach((count, bucket) => (counts[bucket]! += count));
  }
  return { counts, sumNs };
}

/** The duration that a share of `quantile` (0..1) does not exceed, linear inside its bucket; NaN where nothing was counted. */
export function quantileUs(durations: DurationCounts, quantile: number): number {
  const wanted = quantile * countOf(durations);
  if (!(wanted > 0)) return NaN;
  let below = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const count = durations.counts[bucket]!;
    if (count > 0 && below + count >= wanted - 1e-9) {
      const lowerNs = bucket === 0 ? 0 : bucketUpperNs(bucket - 1);
      const upperNs = bucketUpperNs(bucket);
      return (upperNs < 0 ? lowerNs : lowerNs + ((upperNs - lowerNs) * (wanted - below)) / count) / 1e3;
    }
    below += count;
  }
  return NaN;
}

export function outcomeCount(stats: VersionStats, outcome: Outcome): number {
  const at = OUTCOMES.indexOf(outcome);
  return stats.protocols.reduce((sum, protocol) => sum + protocol.outcomes[at]!, 0);
}

export function stageOf(stats: VersionStats, stage: Stage): DurationCounts {
  const at = STAGES.indexOf(stage);
  return merge(stats.protocols.map((protocol) => protocol.stages[at]!));
}

export function okDurations(stats: VersionStats): DurationCounts {
  return merge(stats.protocols.map((protocol) => protocol.ok));
}

export function runCount(stats: VersionStats): number {
  return stats.batchSizes.reduce((sum, size) => sum + size.runs, stats.failedRuns);
}

/** Names and counts of the errors that occurred. */
export function errorCounts(stats: VersionStats): Array<readonly [ErrorName, number]> {
  return (Object.keys(ERRORS) as ErrorName[])
    .map((name) => [name, stats.errors[ERRORS[name].number] ?? 0] as const)
    .filter(([, count]) => count > 0);
}

/** The numbers that a person wants to see, fit for JSON. */
export function summarise(stats: VersionStats): object {
  const micros = (durations: DurationCounts): object =>
    Object.fromEntries(
      [0.5, 0.9, 0.99].map((quantile) => [
        `p${quantile * 100}Us`,
        Math.round(quantileUs(durations, quantile) * 10) / 10,
      ]),
    );
  const total = okDurations(stats);
  return {
    requests: outcomeCount(stats, 'ok'),
    outcomes: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, outcomeCount(stats, outcome)])),
    errors: Object.fromEntries(errorCounts(stats)),
    rows: stats.okRows,
    padding:
      stats.paddedElements === 0
        ? undefined
        : { elements: stats.paddedElements, filledUp: stats.paddingElements },
    runs: runCount(stats),
    waiting: stats.waiting,
    inFlight: stats.inFlight,
    lastOkMs: stats.lastOkMs,
    lastFailure: stats.lastFailure,
    total: countOf(total) === 0 ? undefined : micros(total),
    stages: Object.fromEntries(
      STAGES.map((stage) => [stage, stageOf(stats, stage)] as const)
        .filter(([, durations]) => countOf(durations) > 0)
        .map(([stage, durations]) => [stage, micros(durations)]),
    ),
    batchRows: Object.fromEntries(stats.batchSizes.map((size) => [size.rows, size.runs])),
    releases: Object.fromEntries(RELEASES.map((release, at) => [release, stats.releases[at]])),
  };
}
