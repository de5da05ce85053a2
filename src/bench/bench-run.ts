/**
 * One bench: the requests, where they go, and `measure`, which makes a point of one or more rounds of load. Modes are written
 * on top of it. A point's percentiles come from the sum of its rounds' histograms.
 */
import { runLoad, type LoadBase, type LoadRun } from './generator.js';
import { Histogram, type Percentile } from './histogram.js';
import { meanRows, type ModelChoice } from './requests.js';
import type { LoadResult, Point, Round, ServerUse } from './result.js';
import { readCounters, useBetween, type Counters } from './server-use.js';

export interface BenchOptions {
  readonly base: LoadBase;
  readonly models: readonly ModelChoice[];
  readonly headers: Readonly<Record<string, string>>;
  /** Where /v2/models/.../stats is answered; undefined: nowhere. */
  readonly statsUrl: string | undefined;
  readonly arrivals: 'constant' | 'poisson' | 'bursty';
  readonly seed: number;
  readonly warmupS: number;
  readonly durationS: number;
  readonly rounds: number;
  readonly timelineS: number;
  /** A line that is written over the one before it. */
  readonly showProgress: (text: string) => void;
}

/** Added up over `results`. */
function total(results: readonly LoadResult[], read: (result: LoadResult) => number): number {
  return results.reduce((sum, result) => sum + read(result), 0);
}

function mostOf(results: readonly LoadResult[], read: (result: LoadResult) => number): number {
  return Math.max(...results.map(read));
}

function roundOf(result: LoadResult): Round {
  const us = (percent: number): number =>
    result.latency.percentiles.find((entry) => entry.percent === percent)?.us ?? NaN;
  const { offeredPerS, achievedPerS, goodPerS, latency } = result;
  return { offeredPerS, achievedPerS, goodPerS, p50Us: us(50), p99Us: us(99), maxUs: latency.maxUs };
}

function byStatus(results: readonly LoadResult[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const result of results) {
    for (const [status, count] of Object.entries(result.byStatus)) sum[status] = (sum[status] ?? 0) + count;
  }
  return sum;
}

function byName(results: readonly LoadResult[]): Record<string, Percentile[]> {
  const names = new Set(results.flatMap((result) => Object.keys(result.byName ?? {})));
  return Object.fromEntries(
    [...names].map((name) => {
      const parts = results.map((result) => result.byName?.[name]?.latency ?? {});
      return [name, Histogram.of(...parts).percentiles()];
    }),
  );
}

function failuresOf({ errors }: LoadResult): number {
  return errors.connect + errors.broken + errors.badReplies + errors.unanswered;
}

export function pointOf(
  label: string,
  results: readonly LoadResult[],
  { rows, server }: { readonly rows: number; readonly server: readonly ServerUse[] },
): Point {
  const seconds = total(results, (result) => result.windowS);
  const latency = Histogram.of(...results.map((result) => result.latency));
  const turnedAway = Histogram.of(...results.map((result) => result.turnedAway));
  const achievedPerS = total(results, (result) => result.achievedPerS * result.windowS) / seconds;
  const isOpen = results.every((result) => result.offeredPerS !== null);
  return {
    label,
    offeredPerS: isOpen ? total(results, (result) => result.scheduled) / seconds : null,
    achievedPerS,
    goodPerS: total(results, (result) => result.good) / seconds,
    rowsPerS: (total(results, (result) => result.good) / seconds) * rows,
    replies: total(results, (result) => result.replies),
    percentiles: latency.percentiles(),
    curve: latency.curve(),
    maxUs: mostOf(results, (result) => result.latency.maxUs),
    byName: byName(results),
    byStatus: byStatus(results),
    failures: total(results, failuresOf),
    mismatched: total(results, (result) => result.errors.mismatched),
    verified: total(results, (result) => result.verified),
    givenUp: total(results, (result) => result.givenUp),
    waitedForConnection: total(results, (result) => result.waitedForConnection),
    turnedAwayP99Us: turnedAway.count === 0 ? null : turnedAway.percentile(99).us,
    sendLagP99Us: mostOf(
      results,
      (result) => result.sendLag.percentiles.find(({ percent }) => percent === 99)?.us ?? 0,
    ),
    generatorBusy: mostOf(results, (result) =>
      Math.max(...result.threads.map((thread) => thread.busyFraction)),
    ),
    rounds: results.map(roundOf),
    timeline: {
      widthS: results[0]?.timeline?.widthS ?? 1,
      slots: results.flatMap((result) => result.timeline?.slots ?? []),
    },
    server,
    valid: results.every((result) => result.valid),
    reasons: [...new Set(results.flatMap((result) => result.reasons))],
  };
}

export class BenchRun {
  readonly rows: number;
  readonly points: Point[] = [];

  constructor(readonly options: BenchOptions) {
    this.rows = meanRows(options.base.requests);
  }

  /** Runs `rounds` loads that differ in their seed, and keeps the point. */
  async measure(label: string, run: Partial<LoadRun>, rounds = 1): Promise<Point> {
    const { options } = this;
    const results: LoadResult[] = [];
    const before = await this.counters();
    for (let round = 0; round < rounds; round++) {
      const complete: LoadRun = {
        arrivals: options.arrivals,
        seed: options.seed + round,
        warmupS: options.warmupS,
        ...(run.phases === undefined && run.requestCount === undefined
          ? { durationS: options.durationS }
          : {}),
        timelineS: options.timelineS,
        ...run,
      };
      const of = rounds > 1 ? `, round ${round + 1} of ${rounds}` : '';
      let seen = 0;
      results.push(
        await runLoad(options.base, complete, (second, answered) => {
          options.showProgress(
            `${label}${of}: ${second} s, ${(answered - seen).toLocaleString('en-US')} answers/s`,
          );
          seen = answered;
        }),
      );
    }
    const point = pointOf(label, results, {
      rows: this.rows,
      server: this.usesSince(before, await this.counters()),
    });
    this.points.push(point);
    return point;
  }

  private async counters(): Promise<ReadonlyArray<Counters | undefined>> {
    const { statsUrl, models, headers } = this.options;
    if (statsUrl === undefined) return [];
    return Promise.all(models.map((choice) => readCounters(statsUrl, choice, headers)));
  }

  private usesSince(
    before: ReadonlyArray<Counters | undefined>,
    after: ReadonlyArray<Counters | undefined>,
  ): ServerUse[] {
    return this.options.models.flatMap(({ model }, i) => {
      const [first, last] = [before[i], after[i]];
      return first === undefined || last === undefined ? [] : [useBetween(model, first, last)];
    });
  }
}

export function usAt(point: Point, percent: number): Percentile | undefined {
  return point.percentiles.find((entry) => entry.percent === percent);
}
