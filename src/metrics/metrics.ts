/**
 * What a scrape gets: the families of every source and of every version. Nothing is counted here while requests run;
 * a scrape reads what the addon and admission keep, and lets go of the loop again and again while it writes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Snapshot } from '../core/snapshot.js';
import { Exemplars } from './exemplars.js';
import { CONTENT_TYPES, Exposition, type Pause } from './exposition.js';
import type { MetricSource } from './family.js';
import type { Format } from './sample-text.js';
import { TRITON_ROWS } from './triton-metrics.js';
import { VERSION_ROWS } from './version-metrics.js';
import { VersionTexts, type VersionNumbers } from './version-texts.js';

export interface MetricFacts extends VersionNumbers {
  readonly models: { readonly snapshot: Snapshot };
  /** Adds Triton's names. */
  readonly tritonMetrics: boolean;
  /** What other parts of the server show. */
  readonly sources: readonly MetricSource[];
}

export interface Scrape {
  readonly contentType: string;
  /** One behind the other; nobody changes them any more. */
  readonly body: readonly Uint8Array[];
}

/** How long a scrape keeps the loop at a stretch, a version aside that is just being written. */
const SLICE_MS = 0.25;

export class Metrics {
  readonly exemplars = new Exemplars();
  private readonly texts: VersionTexts;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly facts: MetricFacts) {
    const rows = facts.tritonMetrics ? [...VERSION_ROWS, ...TRITON_ROWS] : VERSION_ROWS;
    this.texts = new VersionTexts(rows, facts, this.exemplars);
  }

  /** `accept`: the header of that name. One scrape at a time; the next waits. */
  scrape(accept: string): Promise<Scrape> {
    const format = formatFor(accept);
    const scrape = this.last.then(() => this.write(format));
    this.last = scrape.catch(() => undefined);
    return scrape;
  }

  private async write(format: Format): Promise<Scrape> {
    const pause = slices();
    const versions = await this.versionLines(format, pause);
    const exposition = new Exposition(format, pause);
    for (const source of this.facts.sources)
      for (const family of await source()) await exposition.add(family);
    for (const [at, row] of this.texts.rows.entries())
      await exposition.addLines(
        row,
        versions.map((lines) => lines[at]!),
      );
    return { contentType: CONTENT_TYPES[format], body: exposition.finish() };
  }

  private async versionLines(format: Format, pause: Pause): Promise<Array<readonly Uint8Array[]>> {
    const versions: Array<readonly Uint8Array[]> = [];
    for (const model of this.facts.models.snapshot.models.values()) {
      for (const entry of model.versions.values()) {
        if (entry.state === 'UNLOADED') continue;
        versions.push(this.texts.linesOf(model, entry, format));
        await pause();
      }
    }
    return versions;
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
