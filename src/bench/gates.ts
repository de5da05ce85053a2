/**
 * Gates: conditions that fail a bench or a comparison, for scripts. `p99>5ms`, `rate<1000`, `goodput<900`, `failing>0.1%`,
 * `invalid`; in a comparison a change with its sign: `p99>+10%`, `rate<-5%`.
 */
import { BenchError } from './bench-error.js';
import { usAt } from './bench-run.js';
import type { Point } from './result.js';

export interface Gate {
  readonly text: string;
  readonly metric: string;
  readonly isAbove: boolean;
  /** Microseconds, a number, or a share where `isShare`. */
  readonly limit: number;
  readonly isShare: boolean;
  /** Against a base, not against a number. */
  readonly isChange: boolean;
}

const FORM = /^(p\d+(?:\.\d+)?|max|rate|goodput|rows|failing|invalid)(?:([<>])([+-])?([\d.]+)(us|ms|s|%)?)?$/;
const UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1e6 };

export function parseGate(text: string): Gate {
  const match = FORM.exec(text.replaceAll(' ', ''));
  const [, metric = '', sign, change, number, unit] = match ?? [];
  const isLatency = /^(p\d|max)/.test(metric);
  const isComplete = metric === 'invalid' ? sign === undefined : number !== undefined;
  const fitsUnit = unit === undefined || unit === '%' || isLatency;
  // A latency without a unit would be read as one or the other.
  const isBare = isLatency && unit === undefined;
  const isOdd = metric === 'failing' ? unit !== '%' : unit === '%' && change === undefined;
  if (match === null || !isComplete || !fitsUnit || isBare || (metric !== 'invalid' && isOdd)) {
    throw new BenchError(
      `expected a condition like "p99>5ms", "rate<1000", "failing>0.1%", "invalid" or, to compare, "p99>+10%", got "${text}"`,
      true,
    );
  }
  const scale = unit === '%' ? 0.01 : (UNITS_US[unit ?? ''] ?? 1);
  const limit = Number(number ?? 0) * scale * (change === '-' ? -1 : 1);
  return {
    text,
    metric,
    isAbove: sign === '>',
    limit,
    isShare: unit === '%',
    isChange: change !== undefined,
  };
}

/** A metric of a point; latencies in microseconds, `failing` as a share. */
export function metricOf(point: Point, metric: string): number {
  if (metric === 'rate') return point.achievedPerS;
  if (metric === 'goodput') return point.goodPerS;
  if (metric === 'rows') return point.rowsPerS;
  if (metric === 'max') return point.maxUs;
  if (metric === 'invalid') return point.valid ? 0 : 1;
  if (metric === 'failing') {
    const refused = point.replies - (point.byStatus['200'] ?? 0);
    const bad = refused + point.failures + point.mismatched + point.givenUp;
    return bad / Math.max(1, point.replies + point.failures + point.givenUp);
  }
  return usAt(point, Number(metric.slice(1)))?.us ?? NaN;
}

/** A line for each point that a gate stops. What cannot be told counts as stopped. */
export function failedGates(points: readonly Point[], gates: readonly Gate[]): string[] {
  return gates.flatMap((gate) => {
    if (gate.isChange)
      throw new BenchError(`"${gate.text}" is a change: it needs a base, use "sluice bench compare"`, true);
    return points.flatMap((point) => {
      const value = metricOf(point, gate.metric);
      const isFine =
        gate.metric === 'invalid' ? value === 0 : gate.isAbove ? value <= gate.limit : value >= gate.limit;
      return isFine ? [] : [`${gate.text} at ${point.label}: got ${value.toPrecision(4)}`];
    });
  });
}
