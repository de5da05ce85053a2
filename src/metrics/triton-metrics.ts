/**
 * The same numbers under the names that boards for Triton look for. Off unless the setting `tritonMetrics` says so; names,
 * labels and units are Triton's, so they break our own rules (microseconds, counters without an ending).
 */
import { outcomeCount, runCount, stageOf, okDurations, type VersionStats } from '../core/version-stats.js';
import { ERRORS, type ErrorName } from '../core/errors.js';
import type { MetricType } from './family.js';
import { withLabel } from './sample-text.js';
import type { VersionRow } from './version-metrics.js';

type Shown = readonly [name: string, type: MetricType, help: string, read: (stats: VersionStats) => number];

function us(ns: bigint): number {
  return Number(ns / 1000n);
}

const NUMBERS: readonly Shown[] = [
  [
    'nv_inference_request_success',
    'counter',
    'Number of successful inference requests, all batch sizes',
    (stats) => outcomeCount(stats, 'ok'),
  ],
  ['nv_inference_count', 'counter', 'Number of inferences performed', (stats) => stats.okRows],
  ['nv_inference_exec_count', 'counter', 'Number of model executions performed', runCount],
  [
    'nv_inference_request_duration_us',
    'counter',
    'Cumulative inference request duration in microseconds',
    (stats) => us(okDurations(stats).sumNs),
  ],
  [
    'nv_inference_queue_duration_us',
    'counter',
    'Cumulative inference queuing duration in microseconds',
    (stats) => us(stageOf(stats, 'queue').sumNs + stageOf(stats, 'batch_wait').sumNs),
  ],
  [
    'nv_inference_compute_input_duration_us',
    'counter',
    'Cumulative compute input duration in microseconds',
    (stats) => us(stageOf(stats, 'gather').sumNs),
  ],
  [
    'nv_inference_compute_infer_duration_us',
    'counter',
    'Cumulative compute inference duration in microseconds',
    (stats) => us(stageOf(stats, 'run').sumNs),
  ],
  [
    'nv_inference_compute_output_duration_us',
    'counter',
    'Cumulative compute output duration in microseconds',
    (stats) => us(stageOf(stats, 'encode').sumNs),
  ],
  [
    'nv_inference_pending_request_count',
    'gauge',
    'Number of requests that wait for a batch',
    (stats) => stats.waiting,
  ],
];

/** Triton's words for why a request failed. */
const REASONS: ReadonlyArray<readonly [reason: string, errors: readonly ErrorName[]]> = [
  ['REJECTED', ['QUEUE_FULL', 'DEADLINE_PASSED']],
  ['CANCELED', ['CANCELLED']],
  ['BACKEND', ['RUN_FAILED']],
  ['OTHER', ['INTERNAL', 'DRAINING']],
];

export const TRITON_ROWS: readonly VersionRow[] = [
  ...NUMBERS.map(([name, type, help, read]): VersionRow => ({
    name,
    type,
    help,
    samples: ({ labels, stats }) => (stats === undefined ? [] : [{ labels, value: read(stats) }]),
  })),
  {
    name: 'nv_inference_request_failure',
    type: 'counter',
    help: 'Number of failed inference requests, all batch sizes',
    *samples({ labels, stats }) {
      if (stats === undefined) return;
      for (const [reason, errors] of REASONS) {
        const value = errors.reduce((sum, name) => sum + stats.errors[ERRORS[name].number]!, 0);
        yield { labels: withLabel(labels, 'reason', reason), value };
      }
    },
  },
];
