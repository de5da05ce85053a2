/**
 * What a scrape gets: the families of every source and of every version. Nothing is counted here while requests run;
 * a scrape reads what the addon and admission keep, and lets go of the loop again and again while it writes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Snapshot, VersionEntry } from '../core/snapshot.js';
import type { VersionStats } from '../core/version-stats.js';
import { Exemplars } from './exemplars.js';
import { CONTENT_TYPES, Exposition, type Format, type Pause } from './exposition.js';
import type { MetricSource } from './family.js';
import { tritonFamilies } from './triton-metrics.js';
import { versionFamilies, type VersionView } from './version-metrics.js';

export interface MetricFacts {
  readonly models: { readonly snapshot: Snapshot };
  /** undefined where the version is not open in the engine. */
  statsOf(version: VersionEntry): VersionStats | undefined;
  /** Adds Triton's names. */
  readonly tritonMetrics: boolean;
  /** What other parts of the server show. */
  readonly sources: readonly MetricSource[];
}

export interface Scrape {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** How long a scrape keeps the loop at a stretch. */
const SLICE_MS = 0.5;

export class Metrics {
  readonly exemplars = new Exemplars();
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly facts: MetricFacts) {}

  /** `accept`: the header of that name. One scrape at a time; the next waits. */
  scrape(accept: string): Promise<Scrape> {
    const format = formatFor(accept);
    const scrape = this.last.then(() => this.write(format));
    this.last = scrape.catch(() => undefined);
    return scrape;
  }

  private async write(format: Format): Promise<Scrape> {
    const pause = slices();
    const views = await this.views(pause);
    const exposition = new Exposition(format, pause);
    for (const source of this.facts.sources)
      for (const family of await source()) await exposition.add(family);
    for (const family of versionFamilies(views, this.exemplars)) await exposition.add(family);
    if (this.facts.tritonMetrics) for (const family of tritonFamilies(views)) await exposition.add(family);
    return { contentType: CONTENT_TYPES[format], body: exposition.finish() };
  }

  private async views(pause: Pause): Promise<VersionView[]> {
    const views: VersionView[] = [];
    for (const model of this.facts.models.snapshot.models.values()) {
      for (const entry of model.versions.values()) {
        if (entry.state === 'UNLOADED') continue;
        const labels = { model: model.name, version: entry.version };
        views.push({ model, entry, labels, stats: this.facts.statsOf(entry) });
        await pause();
      }
    }
    return views;
  }
}

/** The wish with the greater weight; Prometheus text where nothing is said. */
export function formatFor(accept: string): Format {
  const weights = { openmetrics: 0, prometheus: 0 };
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const given = parameters.find((word) => word.startsWith('q='));
    const weight = given === undefined ? 1 : Number(given.slice(2));
    if (type === 'application/openmetrics-text') weights.openmetrics = Math.max(weights.openmetrics, weight);
    else if (type === 'text/plain') weights.prometheus = Math.max(weights.prometheus, weight);
  }
  return weights.openmetrics > 0 && weights.openmetrics >= weights.prometheus ? 'openmetrics' : 'prometheus';
}

function slices(): Pause {
  let beganMs = performance.now();
  return () => {
    if (performance.now() - beganMs < SLICE_MS) return undefined;
    return nextTurn().then(() => {
      beganMs = performance.now();
    });
  };
}
