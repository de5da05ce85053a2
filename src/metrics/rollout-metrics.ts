/**
 * What is shown about rollouts: shadows, splits and plans. The series of a shadow belong to two versions that are loaded and
 * vanish with either; names come from models and rollouts only. Two rules for the same two versions are shown as their sum.
 */
import type { Buckets, ShadowFacts } from '../core/shadow.js';
import { BUCKETS, bucketUpperNs, type DurationCounts } from '../core/version-stats.js';
import type { Labels, MetricFamily, MetricSource, MetricType, Sample } from './family.js';

export interface ShownShadow {
  readonly model: string;
  readonly version: string;
  readonly shadow: string;
  readonly isFlagged: boolean;
  readonly facts: ShadowFacts;
}

export interface ShownArm {
  readonly model: string;
  readonly version: string;
  /** 0 to 1, of the requests that name no version and that no rule takes. */
  readonly share: number;
}

export interface ShownPlan {
  readonly model: string;
  readonly state: string;
  /** From 1. */
  readonly step: number;
}

export interface RolloutFacts {
  readonly shadows: () => readonly ShownShadow[];
  readonly arms: () => readonly ShownArm[];
  readonly plans: () => readonly ShownPlan[];
}

interface Pair {
  readonly labels: Labels;
  readonly shadows: ShownShadow[];
}

function pairsOf(shadows: readonly ShownShadow[]): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const one of shadows) {
    const { model, version, shadow } = one;
    const key = JSON.stringify([model, version, shadow]);
    const pair = pairs.get(key) ?? { labels: { model, version, shadow }, shadows: [] };
    pair.shadows.push(one);
    pairs.set(key, pair);
  }
  return [...pairs.values()];
}

function total({ shadows }: Pair, read: (facts: ShadowFacts) => number): number {
  return shadows.reduce((sum, { facts }) => sum + read(facts), 0);
}

const PLACE_OF_UPPER_US = new Map<number, number>(
  Array.from({ length: BUCKETS }, (_, bucket) => [bucketUpperNs(bucket) / 1e3, bucket]),
);

/** The bucket that the addon told by its bound. */
function placeOf(upperUs: number): number {
  return PLACE_OF_UPPER_US.get(upperUs) ?? BUCKETS - 1;
}

function durations(pair: Pair, buckets: (facts: ShadowFacts) => Buckets, sumUs: number): DurationCounts {
  const counts = new Float64Array(BUCKETS);
  for (const { facts } of pair.shadows)
    for (const [upperUs, count] of buckets(facts)) counts[placeOf(upperUs)]! += count;
  return { counts, sumNs: BigInt(Math.round(sumUs * 1e3)) };
}

/** `queueFull` as labels are written. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function byReason(pair: Pair, read: (facts: ShadowFacts) => Readonly<Record<string, number>>): Sample[] {
  const reasons = new Set(pair.shadows.flatMap(({ facts }) => Object.keys(read(facts))));
  return [...reasons].map((reason) => ({
    labels: { ...pair.labels, reason: snake(reason) },
    value: total(pair, (facts) => read(facts)[reason] ?? 0),
  }));
}

interface Row {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly samples: (pair: Pair) => Sample[];
}

function simple(name: string, type: MetricType, help: string, read: (facts: ShadowFacts) => number): Row {
  return { name, type, help, samples: (pair) => [{ labels: pair.labels, value: total(pair, read) }] };
}

const SHADOW_ROWS: readonly Row[] = [
  simple(
    'sluice_shadow_sampled_requests_total',
    'counter',
    'Requests of the version that the shadow went along with',
    (facts) => facts.sampled,
  ),
  simple(
    'sluice_shadow_comparisons_total',
    'counter',
    'Requests whose two answers were compared',
    (facts) => facts.compared,
  ),
  simple(
    'sluice_shadow_apart_total',
    'counter',
    'Compared requests whose answers differ',
    (facts) => facts.apart,
  ),
  {
    name: 'sluice_shadow_output_apart_total',
    type: 'counter',
    help: 'Compared requests in which this output differs',
    samples: (pair) => {
      const outputs = pair.shadows[0]?.facts.outputs ?? [];
      return outputs.map(({ name }, at) => ({
        labels: { ...pair.labels, output: name },
        value: total(pair, (facts) => facts.outputs[at]?.requestsApart ?? 0),
      }));
    },
  },
  {
    name: 'sluice_shadow_dropped_total',
    type: 'counter',
    help: 'Sampled requests dropped before the shadow ran them, by why',
    samples: (pair) => byReason(pair, (facts) => facts.dropped),
  },
  {
    name: 'sluice_shadow_skipped_total',
    type: 'counter',
    help: 'Sampled requests that the shadow took and that were not compared, by why',
    samples: (pair) => byReason(pair, (facts) => facts.skipped),
  },
  simple('sluice_shadow_waiting', 'gauge', 'Requests that wait for the shadow', (facts) => facts.waiting),
  {
    name: 'sluice_shadow_flagged',
    type: 'gauge',
    help: '1 where more answers differ than the rule allows, by a test with a stated false-alarm rate',
    samples: ({ labels, shadows }) => [{ labels, value: shadows.some((one) => one.isFlagged) ? 1 : 0 }],
  },
  {
    name: 'sluice_shadow_run_seconds',
    type: 'histogram',
    help: 'Run times of the compared requests: of the version, and of its shadow in the idle class',
    samples: (pair) => [
      {
        labels: { ...pair.labels, side: 'version' },
        durations: durations(
          pair,
          (facts) => facts.primaryRunUs,
          total(pair, (facts) => facts.primaryRunSumUs),
        ),
      },
      {
        labels: { ...pair.labels, side: 'shadow' },
        durations: durations(
          pair,
          (facts) => facts.shadowRunUs,
          total(pair, (facts) => facts.shadowRunSumUs),
        ),
      },
    ],
  },
];

function* families({ shadows, arms, plans }: RolloutFacts): Generator<MetricFamily> {
  const pairs = pairsOf(shadows());
  for (const { name, type, help, samples } of SHADOW_ROWS)
    yield { name, type, help, samples: pairs.flatMap(samples) };
  yield {
    name: 'sluice_split_ratio',
    type: 'gauge',
    help: 'Part of the requests that the split of a rollout gives to the version, 0 to 1',
    samples: arms().map(({ model, version, share }) => ({ labels: { model, version }, value: share })),
  };
  const shownPlans = plans();
  yield {
    name: 'sluice_plan_state',
    type: 'gauge',
    help: '1 for the state that the newest plan of a model is in',
    samples: shownPlans.map(({ model, state }) => ({ labels: { model, state }, value: 1 })),
  };
  yield {
    name: 'sluice_plan_step',
    type: 'gauge',
    help: 'Step of the newest plan of a model, from 1',
    samples: shownPlans.map(({ model, step }) => ({ labels: { model }, value: step })),
  };
}

export function rolloutMetrics(facts: RolloutFacts): MetricSource {
  return () => families(facts);
}
