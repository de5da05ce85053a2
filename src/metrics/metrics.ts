/**
 * Every metric of the server in one table, read when somebody scrapes: the addon and admission keep the numbers, nothing
 * is counted here while requests run. Microseconds become seconds, as Prometheus has it.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Snapshot, VersionEntry } from '../core/snapshot.js';

/** What the engine counts for one version. */
export interface VersionStats {
  readonly requests: number;
  readonly rows: number;
  readonly runs: number;
  readonly failures: number;
  readonly cancelled: number;
  readonly queueUs: number;
  readonly runUs: number;
  readonly inFlight: number;
}

export interface MetricSources {
  readonly models: { readonly snapshot: Snapshot };
  readonly admission: { readonly inFlightRequests: number; readonly inFlightBytes: number };
  /** undefined where the version is not open in the engine. */
  statsOf(version: VersionEntry): VersionStats | undefined;
}

const VERSION_LABELS = ['model', 'version'] as const;

interface CounterRow {
  readonly name: string;
  readonly help: string;
  read(stats: VersionStats): number;
}

const VERSION_COUNTERS: readonly CounterRow[] = [
  { name: 'sluice_requests_total', help: 'Requests answered or failed', read: (stats) => stats.requests },
  { name: 'sluice_rows_total', help: 'Rows of those requests', read: (stats) => stats.rows },
  {
    name: 'sluice_runs_total',
    help: 'Session runs; rows per run is the batching',
    read: (stats) => stats.runs,
  },
  { name: 'sluice_failures_total', help: 'Requests whose run failed', read: (stats) => stats.failures },
  {
    name: 'sluice_cancelled_total',
    help: 'Requests whose client went away',
    read: (stats) => stats.cancelled,
  },
  {
    name: 'sluice_queue_seconds_total',
    help: 'Time that requests waited',
    read: (stats) => stats.queueUs / 1e6,
  },
  {
    name: 'sluice_run_seconds_total',
    help: 'Time spent in session runs',
    read: (stats) => stats.runUs / 1e6,
  },
];

export class Metrics {
  private readonly registry = new Registry();
  private readonly counters = new Map<CounterRow, Counter<(typeof VERSION_LABELS)[number]>>();
  private readonly ready: Gauge<(typeof VERSION_LABELS)[number]>;
  private readonly versionInFlight: Gauge<(typeof VERSION_LABELS)[number]>;
  private readonly inFlightRequests: Gauge;
  private readonly inFlightBytes: Gauge;

  constructor(private readonly sources: MetricSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    for (const row of VERSION_COUNTERS) {
      const { name, help } = row;
      this.counters.set(row, new Counter({ name, help, labelNames: VERSION_LABELS, registers }));
    }
    this.ready = new Gauge({
      name: 'sluice_version_ready',
      help: '1 where the version serves',
      labelNames: VERSION_LABELS,
      registers,
    });
    this.versionInFlight = new Gauge({
      name: 'sluice_version_in_flight',
      help: 'Requests accepted by the engine and not yet answered',
      labelNames: VERSION_LABELS,
      registers,
    });
    this.inFlightRequests = new Gauge({
      name: 'sluice_in_flight_requests',
      help: 'Infer requests inside the server, from their head to their reply',
      registers,
    });
    this.inFlightBytes = new Gauge({
      name: 'sluice_in_flight_bytes',
      help: 'Body bytes of the requests inside',
      registers,
    });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    this.read();
    return this.registry.metrics();
  }

  /** The counters live elsewhere, so each scrape sets them anew. */
  private read(): void {
    const { models, admission } = this.sources;
    for (const counter of this.counters.values()) counter.reset();
    this.ready.reset();
    this.versionInFlight.reset();
    this.inFlightRequests.set(admission.inFlightRequests);
    this.inFlightBytes.set(admission.inFlightBytes);
    for (const model of models.snapshot.models.values()) {
      for (const entry of model.versions.values()) {
        const labels = { model: model.name, version: entry.version };
        this.ready.set(labels, entry.state === 'READY' ? 1 : 0);
        const stats = this.sources.statsOf(entry);
        if (stats === undefined) continue;
        this.versionInFlight.set(labels, stats.inFlight);
        for (const [row, counter] of this.counters) counter.inc(labels, row.read(stats));
      }
    }
  }
}
