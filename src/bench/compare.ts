/**
 * Two results, point by point and round by round: a round of one stands beside the same round of the other (same seed, same
 * arrivals), the ratio is taken inside the pair, and the pairs give a mean and a 95 % interval (Student's t on the logarithms).
 * A difference is called one only where the interval does not hold 1.
 */
import { BenchError } from './bench-error.js';
import type { Gate } from './gates.js';
import type { BenchReport, Point, Round } from './result.js';

/** Values by round of one quantity of one point or side. */
export interface Series {
  readonly label: string;
  readonly metric: string;
  readonly values: readonly number[];
}

export interface Comparison {
  readonly label: string;
  readonly metric: string;
  readonly base: number;
  readonly subject: number;
  readonly pairs: number;
  readonly ratio: number;
  /** Null with fewer than three pairs: nothing can be said. */
  readonly interval: readonly [number, number] | null;
  readonly isDifferent: boolean;
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom; more than the last is nearly normal. */
const T_95 = [
  12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];
const T_95_LARGE = 1.96;
const LEAST_PAIRS = 3;
const ROUND_METRICS: ReadonlyArray<readonly [string, (round: Round) => number]> = [
  ['rate', (round) => round.achievedPerS],
  ['goodput', (round) => round.goodPerS],
  ['p50', (round) => round.p50Us],
  ['p99', (round) => round.p99Us],
  ['max', (round) => round.maxUs],
];

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function seriesOfPoint(point: Point): Series[] {
  return ROUND_METRICS.map(([metric, read]) => ({
    label: point.label,
    metric,
    values: point.rounds.map(read),
  }));
}

/** What `npm run bench` writes: sides of scenarios, a value a round. */
interface ScenarioFile {
  readonly scenarios: ReadonlyArray<{
    readonly name: string;
    readonly rounds: ReadonlyArray<Readonly<Record<string, Readonly<Record<string, number>>>>>;
  }>;
}

function seriesOfScenarios({ scenarios }: ScenarioFile): Series[] {
  return scenarios.flatMap(({ name, rounds }) =>
    Object.keys(rounds[0] ?? {}).flatMap((side) =>
      [
        ['rate', 'rate'],
        ['p50', 'p50Us'],
        ['p99', 'p99Us'],
        ['cpu', 'serverCpuUs'],
      ].map(([metric = '', key = '']) => ({
        label: `${name}: ${side}`,
        metric,
        values: rounds.map((round) => Number(round[side]?.[key])),
      })),
    ),
  );
}

/** Series of a result file's content, whichever of the two forms it has. */
export function seriesOf(content: unknown, file: string): Series[] {
  const known = content as Partial<BenchReport> & Partial<ScenarioFile>;
  if (known.format === 'sluice-bench' && Array.isArray(known.points)) {
    return (known.points as readonly Point[]).flatMap(seriesOfPoint);
  }
  if (Array.isArray(known.scenarios)) return seriesOfScenarios({ scenarios: known.scenarios });
  throw new BenchError(`expected a result of "sluice bench" or of "npm run bench" in ${file}`, true);
}

export function comparePairs(base: Series, subject: Series): Comparison {
  const count = Math.min(base.values.length, subject.values.length);
  const pairs = Array.from(
    { length: count },
    (_, i) => [base.values[i] ?? NaN, subject.values[i] ?? NaN] as const,
  );
  const usable = pairs.filter(([a, b]) => a > 0 && b > 0);
  const logs = usable.map(([a, b]) => Math.log(b / a));
  const middle = mean(logs);
  const result = {
    label: base.label,
    metric: base.metric,
    base: mean(usable.map(([a]) => a)),
    subject: mean(usable.map(([, b]) => b)),
    pairs: usable.length,
    ratio: Math.exp(middle),
  };
  if (usable.length < LEAST_PAIRS) return { ...result, interval: null, isDifferent: false };
  const variance = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0) / (logs.length - 1);
  const reach = (T_95[logs.length - 2] ?? T_95_LARGE) * Math.sqrt(variance / logs.length);
  const interval = [Math.exp(middle - reach), Math.exp(middle + reach)] as const;
  return { ...result, interval, isDifferent: interval[0] > 1 || interval[1] < 1 };
}

/** Of what both have, in the order of the first; labels that only one has are told by `missing`. */
export function compareSeries(
  base: readonly Series[],
  subject: readonly Series[],
): { readonly comparisons: readonly Comparison[]; readonly missing: readonly string[] } {
  const keyOf = ({ label, metric }: Series): string => `${metric} ${label}`;
  const bySubject = new Map(subject.map((series) => [keyOf(series), series]));
  const inBase = new Set(base.map(keyOf));
  const comparisons = base.flatMap((series) => {
    const other = bySubject.get(keyOf(series));
    return other === undefined ? [] : [comparePairs(series, other)];
  });
  const missing = [
    ...base.filter((series) => !bySubject.has(keyOf(series))),
    ...subject.filter((series) => !inBase.has(keyOf(series))),
  ];
  return {
    comparisons: comparisons.filter(({ pairs }) => pairs > 0),
    missing: [...new Set(missing.map(({ label }) => label))],
  };
}

/**
 * A change fails a gate where it goes beyond the limit and is a difference. With too few pairs to tell, the ratio alone
 * decides: a gate that never closes guards nothing.
 */
export function failedChanges(comparisons: readonly Comparison[], gates: readonly Gate[]): string[] {
  return gates.flatMap((gate) => {
    if (!gate.isChange)
      throw new BenchError(`expected a change with its sign, like "p99>+10%", got "${gate.text}"`, true);
    const concerned = comparisons.filter(({ metric }) => metric === gate.metric);
    if (concerned.length === 0) return [`${gate.text}: neither result has ${gate.metric} by rounds`];
    return concerned.flatMap(({ label, ratio, interval, isDifferent }) => {
      const change = ratio - 1;
      const isBeyond = gate.isAbove ? change > gate.limit : change < gate.limit;
      if (!isBeyond || (interval !== null && !isDifferent)) return [];
      return [`${gate.text} at ${label}: got ${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`];
    });
  });
}
