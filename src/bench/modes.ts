/**
 * The questions that a bench answers, each in terms of points. Every mode says in its findings what it concluded and by which
 * rule, so that a reader of the JSON alone can check it.
 */
import { BenchError } from './bench-error.js';
import type { BenchRun } from './bench-run.js';
import { usAt } from './bench-run.js';
import type { Point } from './result.js';

export type Findings = Record<string, number | string | null>;

/** Of the ceiling that a closed loop finds. */
const SWEEP_SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1];
const OVERLOAD_MULTIPLES = [0.1, 0.5, 0.8, 1, 1.5, 2, 4, 10, 20];
/** A search takes an answer that fails or is refused this often. */
const MOST_FAILING_SHARE = 0.001;
const MOST_TRIALS = 16;
const MOST_ATTEMPTS = 3;
/** The generator's own line between keeping up and not. */
const LEAST_ACHIEVED = 0.99;
const CONFIRMATIONS = 3;
/** Of a trial beyond its percentile. */
const SAMPLES_BEYOND = 100;
const LONGEST_TRIAL_S = 60;
const CEILING_S = 2;
/** Goodput is back when a slot has this share of what was offered in it. */
const RECOVERED_SHARE = 0.95;
const RECOVERY_SLOT_S = 0.1;

const perS = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')}/s`;

/** What the server can do at most: all connections always busy, no schedule. */
export async function findCeiling(bench: BenchRun): Promise<Point> {
  const durationS = Math.min(CEILING_S, bench.options.durationS);
  const point = await bench.measure('ceiling', {
    arrivals: 'closed',
    durationS,
    isWithoutDeadline: true,
  });
  if (point.achievedPerS > 0 && point.failures === 0 && point.mismatched === 0) return point;
  throw new BenchError(`the server did not hold a closed loop: ${point.reasons.join('; ')}`);
}

export async function runRate(bench: BenchRun, ratePerS: number): Promise<Findings> {
  await bench.measure(perS(ratePerS), { ratePerS }, bench.options.rounds);
  return {};
}

export async function runClosed(bench: BenchRun): Promise<Findings> {
  await bench.measure('closed loop', { arrivals: 'closed' }, bench.options.rounds);
  return {};
}

export async function runTrace(bench: BenchRun, traceFile: string): Promise<Findings> {
  await bench.measure('trace', { arrivals: 'trace', traceFile });
  return {};
}

/** Latency over throughput, up to the ceiling. */
export async function runSweep(bench: BenchRun, rates: readonly number[]): Promise<Findings> {
  const { rounds } = bench.options;
  if (rates.length > 0) {
    for (const ratePerS of rates) await bench.measure(perS(ratePerS), { ratePerS }, rounds);
    return {};
  }
  const ceiling = await findCeiling(bench);
  for (const share of SWEEP_SHARES) {
    // Labels without the rate: they are the same in the next run, which is then comparable.
    await bench.measure(
      `${share * 100} % of the ceiling`,
      { ratePerS: ceiling.achievedPerS * share },
      rounds,
    );
  }
  return { ceilingPerS: ceiling.achievedPerS };
}

interface Limit {
  readonly percent: number;
  readonly us: number;
}

function failingShare(point: Point): number {
  const good = point.byStatus['200'] ?? 0;
  const meant = Math.max(1, point.replies + point.failures + point.givenUp);
  return 1 - (good - point.mismatched) / meant;
}

export type Verdict = 'passes' | 'fails' | 'not measured';

/**
 * Passes only when the whole 95 % interval of the percentile is within the limit: with few samples it is not. A run that is not
 * valid, although the server kept everything, says nothing of the rate.
 */
export function judgeTrial(point: Point, limit: Limit): Verdict {
  const high = usAt(point, limit.percent)?.highUs ?? Infinity;
  if (high > limit.us || failingShare(point) > MOST_FAILING_SHARE) return 'fails';
  if (point.valid) return 'passes';
  const isBehind = point.offeredPerS !== null && point.achievedPerS < LEAST_ACHIEVED * point.offeredPerS;
  return isBehind ? 'fails' : 'not measured';
}

/**
 * The highest rate whose percentile stays within the limit: halving between a rate that passes and one that does not, until
 * they are `precision` apart; then the lower one must pass `CONFIRMATIONS` times in a row, or gives way by `precision`.
 */
export async function runSearch(bench: BenchRun, limit: Limit, precision: number): Promise<Findings> {
  const ceiling = await findCeiling(bench);
  const samples = SAMPLES_BEYOND / (1 - limit.percent / 100);
  const tried = async (ratePerS: number): Promise<boolean> => {
    // Long enough for the percentile to rest on something.
    const durationS = Math.min(LONGEST_TRIAL_S, Math.max(bench.options.durationS, samples / ratePerS));
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const point = await bench.measure(perS(ratePerS), { ratePerS, durationS });
      const verdict = judgeTrial(point, limit);
      if (verdict !== 'not measured') return verdict === 'passes';
    }
    const reasons = bench.points.at(-1)?.reasons.join('; ') ?? '';
    throw new BenchError(`no valid run at ${perS(ratePerS)} in ${MOST_ATTEMPTS} attempts: ${reasons}`);
  };
  let low = 0;
  let high = ceiling.achievedPerS * 1.1;
  let trials = 0;
  while ((high - low) / high > precision && trials < MOST_TRIALS) {
    const middle = (low + high) / 2;
    if (await tried(middle)) low = middle;
    else high = middle;
    trials += 1;
  }
  let confirmed = 0;
  while (low > 0 && confirmed < CONFIRMATIONS && trials < 2 * MOST_TRIALS) {
    if (await tried(low)) confirmed += 1;
    else [low, confirmed] = [low * (1 - precision), 0];
    trials += 1;
  }
  return {
    rule:
      `highest rate of ${bench.options.arrivals} arrivals with p${limit.percent} (upper end of its 95 % interval) <= ${limit.us / 1000} ms, at most ` +
      `${MOST_FAILING_SHARE * 100} % failing, ${CONFIRMATIONS} confirmations, precision ${precision * 100} %`,
    ceilingPerS: ceiling.achievedPerS,
    highestPerS: confirmed === CONFIRMATIONS ? low : null,
    trials,
  };
}

/** Throughput where nobody waits for a single answer: `samples` rows in requests of as many rows as they have. */
export async function runOffline(bench: BenchRun, samples: number): Promise<Findings> {
  const requestCount = Math.ceil(samples / bench.rows);
  const point = await bench.measure(`offline, ${samples.toLocaleString('en-US')} rows`, {
    arrivals: 'closed',
    requestCount,
    warmupS: 0,
    isWithoutDeadline: true,
  });
  return { samples, rowsPerRequest: bench.rows, rowsPerS: point.rowsPerS };
}

/** Seconds from `fromS` until goodput is back for good; null where it is not. */
export function recoveryS(point: Point, fromS: number): number | null {
  const { widthS, slots } = point.timeline;
  const first = Math.round(fromS / widthS);
  const isBack = slots.map((slot) => slot.good >= RECOVERED_SHARE * slot.scheduled);
  const lastBad = isBack.lastIndexOf(false);
  if (lastBad === slots.length - 1) return null;
  return Math.max(0, lastBad + 1 - first) * widthS;
}

/** Goodput from a tenth to twenty times what the server can do, and how soon it is back after ten times. */
export async function runOverload(bench: BenchRun, multiples: readonly number[]): Promise<Findings> {
  const ceiling = await findCeiling(bench);
  const capacity = ceiling.achievedPerS;
  const chosen = multiples.length > 0 ? multiples : OVERLOAD_MULTIPLES;
  const goodput: Array<readonly [number, Point]> = [];
  for (const multiple of chosen) {
    const ratePerS = capacity * multiple;
    goodput.push([multiple, await bench.measure(`${multiple}x`, { ratePerS })]);
  }
  const peak = Math.max(...goodput.map(([, point]) => point.goodPerS));
  const findings: Findings = { capacityPerS: capacity, peakGoodPerS: peak };
  for (const [multiple, point] of goodput) {
    if (multiple > 1) findings[`goodputAt${multiple}xOverPeak`] = peak > 0 ? point.goodPerS / peak : null;
  }
  const { warmupS, durationS } = bench.options;
  const phases = [
    [capacity * 0.8, warmupS + durationS / 2],
    [capacity * 10, durationS],
    [capacity * 0.8, durationS],
  ] as const;
  const after = await bench.measure('0.8x, 10x, 0.8x', { phases, timelineS: RECOVERY_SLOT_S });
  findings['recoveryS'] = recoveryS(after, durationS * 1.5);
  return findings;
}

/** One rate for long, in parts of a minute: each is a point, and p99 must not creep. */
export async function runSoak(bench: BenchRun, ratePerS: number, minutes: number): Promise<Findings> {
  const parts = Math.max(1, Math.round(minutes));
  const durationS = (minutes * 60) / parts;
  for (let part = 0; part < parts; part++) {
    const warmupS = part === 0 ? bench.options.warmupS : 0;
    const seed = bench.options.seed + part;
    await bench.measure(`minute ${part + 1} of ${parts}`, {
      ratePerS,
      durationS,
      warmupS,
      seed,
      timelineS: 1,
    });
  }
  const p99 = bench.points.map((point) => usAt(point, 99)?.us ?? NaN);
  const half = Math.floor(p99.length / 2);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    minutes,
    failures: bench.points.reduce((sum, point) => sum + point.failures, 0),
    // Of the minutes' p99, which are values here: how the second half compares with the first.
    p99DriftShare: half === 0 ? null : mean(p99.slice(-half)) / mean(p99.slice(0, half)) - 1,
  };
}
