/**
 * What a metric is before it is text: a family with its samples. Whoever has numbers to show is a MetricSource: a function
 * that is asked at every scrape and answers families; samples are generators, so that a long list is never built.
 */
import type { DurationCounts } from '../core/version-stats.js';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Values are escaped when written. What no longer exists must not be given: its series then vanish. */
export type Labels = Readonly<Record<string, string | number>>;

/** Labels as they are written, by `labelText` and `withLabel`: for those who give many samples. */
export type LabelText = string;

/** A trace that stands for the observations near it; OpenMetrics only. */
export interface Exemplar {
  readonly traceId: string;
  readonly seconds: number;
  /** Since the epoch. */
  readonly atMs: number;
}

export type Sample =
  /** `suffix`: one line of a histogram that somebody else has made. */
  | { readonly labels: Labels | LabelText; readonly value: number; readonly suffix?: string }
  /** Durations, written in seconds. `exemplars` by octave, see `octaveOf`. */
  | {
      readonly labels: Labels | LabelText;
      readonly durations: DurationCounts;
      readonly exemplars?: ReadonlyArray<Exemplar | undefined> | undefined;
    }
  /** Any other distribution: counts of the values up to each bound and above the one before, and those above all. */
  | {
      readonly labels: Labels | LabelText;
      readonly bounds: readonly number[];
      readonly counts: readonly number[];
      readonly sum: number;
    };

export interface FamilyHead {
  /** Base units; a counter ends in `_total`, except where another system fixed the name. */
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
}

export interface MetricFamily extends FamilyHead {
  readonly samples: Iterable<Sample>;
}

export type MetricSource = () => Iterable<MetricFamily> | Promise<Iterable<MetricFamily>>;
