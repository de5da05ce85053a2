/**
 * Every metric of the server in one table, read when somebody scrapes: the addon and admission keep the numbers, nothing
 * is counted here while requests run. Microseconds become seconds, as Prometheus has it.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Snapshot, VersionEntry } from '../core/snapshot.js';
import { outcomeCount, runCount, type VersionStats } from '../core/version-stats.js';

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
  {
    name: 'sluice_requests_total',
    help: 'Requests that ran',
    read: (stats) => outcomeCount(stats, 'ok') + outcomeCount(stats, 'failed'),
  },
  { name: 'sluice_rows_total', help: 'Rows of answered requests', read: (stats) => stats.okRows },
  { name: 'sluice_runs_total', help: 'Session runs; rows per run is the batching', read: runCount },
  {
    name: 'sluice_failures_total',
    help: 'Requests whose run failed',
    read: (stats) => outcomeCount(stats, 'failed'),
  },
  {
    name: 'sluice_cancelled_total',
    help: 'Requests whose client went away',
    read: (stats) => outcomeCount(stats, 'cancelled'),
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
