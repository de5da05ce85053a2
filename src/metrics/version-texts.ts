/**
 * The lines of each version as bytes, one piece for each row of the table. A version is read in one go, so its numbers belong
 * together, and its lines are kept until something about it has changed: a scrape pays for the versions that had requests since
 * the last one. Kept are the lines of the format that was asked for last; they go with the version. Lives on the loop.
 */
import type { ModelEntry, VersionEntry } from '../core/snapshot.js';
import type { VersionStats } from '../core/version-stats.js';
import type { Exemplars } from './exemplars.js';
import { sampleText, type Format } from './sample-text.js';
import { versionView, type VersionRow } from './version-metrics.js';

export interface VersionNumbers {
  /** undefined where the version is not open in the engine. */
  statsOf(version: VersionEntry): VersionStats | undefined;
  /** Another number as soon as any of the statistics is another one. */
  statsMarkOf(version: VersionEntry): bigint | undefined;
}

interface Kept {
  readonly format: Format;
  readonly mark: bigint | undefined;
  readonly traces: number;
  readonly lines: readonly Uint8Array[];
}

const NOTHING = new Uint8Array(0);

export class VersionTexts {
  /** An entry never changes: what does makes another one. */
  private readonly kept = new WeakMap<VersionEntry, Kept>();

  constructor(
    readonly rows: readonly VersionRow[],
    private readonly numbers: VersionNumbers,
    private readonly exemplars: Exemplars,
  ) {}

  /** In the order of `rows`. */
  linesOf(model: ModelEntry, entry: VersionEntry, format: Format): readonly Uint8Array[] {
    // Before the numbers, so that what is counted in between is read again.
    const mark = this.numbers.statsMarkOf(entry);
    const traces = this.exemplars.countOf(entry);
    const kept = this.kept.get(entry);
    if (kept?.mark === mark && kept?.format === format && kept.traces === traces) return kept.lines;
    const view = versionView(model, entry, this.numbers.statsOf(entry));
    const lines = this.rows.map((row) => {
      let text = '';
      for (const sample of row.samples(view, this.exemplars)) text += sampleText(row.name, sample, format);
      return text === '' ? NOTHING : Buffer.from(text);
    });
    this.kept.set(entry, { format, mark, traces, lines });
    return lines;
  }
}
