/**
 * Histograms of the generator, added step by step: percentiles come from the sum, never from an average of percentiles. Each
 * percentile says how far it can be trusted: an interval from the order statistics, and the samples beyond it.
 */
export interface StepCounts {
  /** Pairs of lower edge in nanoseconds and count, ascending. */
  readonly stepsNs?: ReadonlyArray<readonly [number, number]>;
}

export type Trust = 'good' | 'weak' | 'none';

export interface Percentile {
  readonly percent: number;
  readonly us: number;
  /** 95 % interval; no upper end where the samples do not reach it. */
  readonly lowUs: number;
  readonly highUs: number | null;
  readonly samplesBeyond: number;
  /** good: at least 100 samples lie beyond it; weak: at least 10; none: fewer, do not quote it. */
  readonly trust: Trust;
}

export const PERCENTS = [50, 75, 90, 95, 99, 99.9, 99.99] as const;

/** The generator's: 1024 steps per power of two. */
const STEP_BITS = 10;
const SAMPLES_FOR_GOOD = 100;
const SAMPLES_FOR_WEAK = 10;
/** Of the normal distribution, for 95 % on both sides. */
const Z = 1.96;

function middleNs(edgeNs: number): number {
  if (edgeNs < 2 ** (STEP_BITS + 1)) return edgeNs;
  return edgeNs + 2 ** (Math.floor(Math.log2(edgeNs)) - STEP_BITS) / 2;
}

export class Histogram {
  private readonly counts = new Map<number, number>();
  private sorted: Array<[number, number]> | undefined;
  count = 0;

  static of(...parts: readonly StepCounts[]): Histogram {
    const sum = new Histogram();
    for (const part of parts) sum.add(part);
    return sum;
  }

  add({ stepsNs = [] }: StepCounts): void {
    this.sorted = undefined;
    for (const [edge, count] of stepsNs) {
      this.counts.set(edge, (this.counts.get(edge) ?? 0) + count);
      this.count += count;
    }
  }

  steps(): ReadonlyArray<[number, number]> {
    this.sorted ??= [...this.counts].sort(([a], [b]) => a - b);
    return this.sorted;
  }

  /** Of the value with that rank, counted from 1. */
  private usAtRank(rank: number): number {
    let seen = 0;
    for (const [edge, count] of this.steps()) {
      seen += count;
      if (seen >= rank) return middleNs(edge) / 1000;
    }
    return NaN;
  }

  percentile(percent: number): Percentile {
    const share = percent / 100;
    const rank = Math.max(1, Math.ceil(this.count * share - 1e-9));
    const reach = Z * Math.sqrt(this.count * share * (1 - share));
    const highRank = Math.ceil(this.count * share + reach) + 1;
    const samplesBeyond = Math.max(0, this.count - rank);
    const isGood = samplesBeyond >= SAMPLES_FOR_GOOD;
    return {
      percent,
      us: this.usAtRank(rank),
      lowUs: this.usAtRank(Math.max(1, Math.floor(this.count * share - reach))),
      highUs: highRank > this.count ? null : this.usAtRank(highRank),
      samplesBeyond,
      trust: isGood ? 'good' : samplesBeyond >= SAMPLES_FOR_WEAK ? 'weak' : 'none',
    };
  }

  percentiles(): Percentile[] {
    return this.count === 0 ? [] : PERCENTS.map((percent) => this.percentile(percent));
  }

  /** At most `most` points [share, us] of the distribution, for a plot; the tail keeps its detail. */
  curve(most = 60): Array<[number, number]> {
    if (this.count === 0) return [];
    const points: Array<[number, number]> = [];
    // Even steps of log10(1 / (1 - share)): 0, 0.9, 0.99, 0.999, ...
    const decades = Math.log10(this.count);
    for (let i = 0; i <= most; i++) {
      const share = 1 - 10 ** ((-decades * i) / most);
      points.push([share, this.usAtRank(Math.max(1, Math.ceil(this.count * share)))]);
    }
    return points;
  }
}
