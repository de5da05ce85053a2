/**
 * The table of what is shown about each model version. The series of a version appear with it and vanish with it. Stage times are of requests that ran; protocols appear once somebody used them.
 */
import type { ModelEntry, VersionEntry } from '../core/snapshot.js';
import {
  errorCounts,
  OUTCOMES,
  RELEASES,
  runCount,
  STAGES,
  type ProtocolStats,
  type VersionStats,
} from '../core/version-stats.js';
import type { Exemplars } from './exemplars.js';
import type { FamilyHead, LabelText, MetricType, Sample } from './family.js';
import { labelText, withLabel } from './sample-text.js';

/** One version as a scrape found it. */
export interface VersionView {
  readonly model: ModelEntry;
  readonly entry: VersionEntry;
  /** undefined where the version is not open in the engine. */
  readonly stats: VersionStats | undefined;
  /** `model` and `version`, as they are written. */
  readonly labels: LabelText;
}

/** One family, and the samples of one version in it. */
export interface VersionRow extends FamilyHead {
  samples(view: VersionView, exemplars: Exemplars): Iterable<Sample>;
}

export function versionView(
  model: ModelEntry,
  entry: VersionEntry,
  stats: VersionStats | undefined,
): VersionView {
  return { model, entry, stats, labels: labelText({ model: model.name, version: entry.version }) };
}

type Counted = (stats: VersionStats) => number;

function simple(name: string, type: MetricType, help: string, read: Counted): VersionRow {
  return {
    name,
    type,
    help,
    samples: ({ labels, stats }) => (stats === undefined ? [] : [{ labels, value: read(stats) }]),
  };
}

function perProtocol(
  name: string,
  type: MetricType,
  help: string,
  samples: (protocol: ProtocolStats, labels: LabelText, view: VersionView, exemplars: Exemplars) => Sample[],
): VersionRow {
  return {
    name,
    type,
    help,
    *samples(view, exemplars) {
      for (const protocol of view.stats?.protocols ?? [])
        yield* samples(protocol, withLabel(view.labels, 'protocol', protocol.protocol), view, exemplars);
    },
  };
}

const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

function batchRows(stats: VersionStats, labels: LabelText): Sample {
  const counts = [...BATCH_BOUNDS, Infinity].map(() => 0);
  let sum = 0;
  for (const { rows, runs } of stats.batchSizes) {
    const at = BATCH_BOUNDS.findIndex((bound) => rows <= bound);
    counts[at < 0 ? BATCH_BOUNDS.length : at]! += runs;
    sum += rows * runs;
  }
  return { labels, bounds: BATCH_BOUNDS, counts, sum };
}

export const VERSION_ROWS: readonly VersionRow[] = [
  {
    name: 'sluice_version_ready',
    type: 'gauge',
    help: '1 where the version serves',
    samples: ({ labels, entry }) => [{ labels, value: entry.state === 'READY' ? 1 : 0 }],
  },
  {
    name: 'sluice_version_state',
    type: 'gauge',
    help: '1 for the state that the version is in',
    samples: ({ labels, entry }) => [{ labels: withLabel(labels, 'state', entry.state), value: 1 }],
  },
  {
    name: 'sluice_version_info',
    type: 'gauge',
    help: 'Always 1; how the version runs',
    samples: ({ labels, entry, model }) => {
      const { report, facts } = entry;
      if (report === undefined) return [];
      const { execution } = report;
      const digest = facts?.digest.slice(0, 12) ?? '';
      return [
        { labels: `${labels},${labelText({ platform: model.platform, execution, digest })}`, value: 1 },
      ];
    },
  },
  {
    name: 'sluice_warmup_seconds',
    type: 'gauge',
    help: 'How long the warm-up of the version took',
    samples: ({ labels, entry: { report } }) =>
      report === undefined ? [] : [{ labels, value: report.warmupMs / 1e3 }],
  },
  {
    name: 'sluice_model_bytes',
    type: 'gauge',
    help:
      'Size of the files of the version, growth of the process while it was loaded (an estimate), ' +
      "the session's arena, and the memory of batches",
    *samples({ labels, entry: { facts }, stats }) {
      const bytes = {
        files: facts?.fileBytes,
        memory: facts?.loadedBytes,
        arena: stats?.arenaBytes,
        slabs: stats?.slabBytes,
      };
      for (const [of, value] of Object.entries(bytes))
        if (value !== undefined) yield { labels: withLabel(labels, 'of', of), value };
    },
  },
  {
    name: 'sluice_batch_limit_rows',
    type: 'gauge',
    help: 'Rows that a batch is filled to',
    samples: ({ labels, entry: { report } }) =>
      report === undefined ? [] : [{ labels, value: report.batchLimitRows }],
  },
  {
    name: 'sluice_run_cost_seconds',
    type: 'gauge',
    help: 'Run time of a batch of so many rows, as measured at warm-up, for each padded length',
    samples: ({ labels, entry: { report } }) => {
      if (report === undefined) return [];
      if (report.costUsByLength.length === 0)
        return report.costUs.map(([rows, us]) => ({
          labels: withLabel(labels, 'rows', rows),
          value: us / 1e6,
        }));
      return report.costUsByLength.flatMap(([length, costs]) =>
        costs.map(([rows, us]) => ({ labels: `${labels},${labelText({ length, rows })}`, value: us / 1e6 })),
      );
    },
  },
  perProtocol('sluice_requests_total', 'counter', 'Requests by how they ended', ({ outcomes }, labels) =>
    OUTCOMES.map((outcome, at) => ({ labels: withLabel(labels, 'outcome', outcome), value: outcomes[at]! })),
  ),
  {
    name: 'sluice_errors_total',
    type: 'counter',
    help: 'Requests that got an error, by its name',
    *samples({ labels, stats }) {
      if (stats === undefined) return;
      for (const [name, value] of errorCounts(stats))
        yield { labels: withLabel(labels, 'reason', name.toLowerCase()), value };
    },
  },
  simple(
    'sluice_deadline_misses_total',
    'counter',
    'Requests that were not answered within their time',
    (stats) => stats.protocols.reduce((sum, { outcomes }) => sum + outcomes[OUTCOMES.indexOf('expired')]!, 0),
  ),
  simple(
    'sluice_rows_total',
    'counter',
    'Rows of the requests that were answered well',
    (stats) => stats.okRows,
  ),
  simple('sluice_runs_total', 'counter', 'Session runs; rows per run is the batching', runCount),
  simple('sluice_failed_runs_total', 'counter', 'Session runs that failed', (stats) => stats.failedRuns),
  perProtocol(
    'sluice_request_seconds',
    'histogram',
    'From the first byte of the body to the encoded reply',
    ({ ok, failed, outcomes, protocol }, labels, { entry }, exemplars) => {
      const samples: Sample[] = [
        {
          labels: withLabel(labels, 'outcome', 'ok'),
          durations: ok,
          exemplars: exemplars.of(entry, protocol),
        },
      ];
      if (outcomes[OUTCOMES.indexOf('failed')]! > 0)
        samples.push({ labels: withLabel(labels, 'outcome', 'failed'), durations: failed });
      return samples;
    },
  ),
  perProtocol(
    'sluice_stage_seconds',
    'histogram',
    'Where the time of a request goes: receive, decode, queue, batch_wait, gather, run, encode, send',
    ({ stages }, labels) =>
      STAGES.map((stage, at) => ({ labels: withLabel(labels, 'stage', stage), durations: stages[at]! })),
  ),
  {
    name: 'sluice_batch_rows',
    type: 'histogram',
    help: 'Rows of a session run',
    samples: ({ labels, stats }) => (stats === undefined ? [] : [batchRows(stats, labels)]),
  },
  {
    name: 'sluice_batch_releases_total',
    type: 'counter',
    help: 'Batches by why they were let go: full, preferred, delay_over, idle_worker, tick_end',
    *samples({ labels, stats }) {
      if (stats === undefined) return;
      for (const [at, reason] of RELEASES.entries())
        yield { labels: withLabel(labels, 'reason', reason), value: stats.releases[at]! };
    },
  },
  {
    name: 'sluice_padded_elements_total',
    type: 'counter',
    help: 'Elements of padded inputs that were run, masks aside: those that clients sent, and those that filled up',
    samples: ({ labels, stats }) =>
      stats === undefined || stats.paddedElements === 0
        ? []
        : [
            {
              labels: withLabel(labels, 'of', 'requests'),
              value: stats.paddedElements - stats.paddingElements,
            },
            { labels: withLabel(labels, 'of', 'padding'), value: stats.paddingElements },
          ],
  },
  simple('sluice_queue_depth', 'gauge', 'Requests that wait for a batch', (stats) => stats.waiting),
  simple(
    'sluice_version_in_flight',
    'gauge',
    'Requests accepted by the engine and not yet answered',
    (stats) => stats.inFlight,
  ),
  perProtocol(
    'sluice_request_bytes_total',
    'counter',
    'Bytes of the bodies that came',
    (protocol, labels) => [{ labels, value: protocol.requestBytes }],
  ),
  perProtocol('sluice_reply_bytes_total', 'counter', 'Bytes of the bodies that went', (protocol, labels) => [
    { labels, value: protocol.replyBytes },
  ]),
];
