/**
 * Families to text: Prometheus 0.0.4, or OpenMetrics 1.0 with exemplars. Written by hand because a version has hundreds of
 * lines: a library that makes an object of every line would hold the loop for tens of milliseconds. Pure but for the pauses.
 */
import { BUCKETS, bucketUpperNs, OCTAVES, type DurationCounts } from '../core/version-stats.js';
import type { Exemplar, Labels, MetricFamily, Sample } from './family.js';

export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Durations are shown by powers of two microseconds up to this one (33.6 s); the statistics are eight times as fine. */
const SHOWN_OCTAVES = 25;

const STEPS_PER_OCTAVE = (BUCKETS - 1) / (OCTAVES + 1);
const OCTAVE_BOUNDS = Array.from({ length: SHOWN_OCTAVES + 1 }, (_, octave) =>
  String(bucketUpperNs(octave * STEPS_PER_OCTAVE + STEPS_PER_OCTAVE - 1) / 1e9),
);

/** Place of a duration among the shown buckets. */
export function octaveOf(seconds: number): number {
  const at = OCTAVE_BOUNDS.findIndex((bound) => seconds <= Number(bound));
  return at < 0 ? OCTAVE_BOUNDS.length : at;
}

function escape(text: string): string {
  return text.replace(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`));
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (letter) => (letter === '\n' ? '\\n' : '\\\\'));
}

export function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(String(value))}"`)
    .join(',');
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  return ` # {trace_id="${exemplar.traceId}"} ${exemplar.seconds} ${exemplar.atMs / 1000}`;
}

/** Gives the loop to others now and then. */
export type Pause = () => Promise<void> | undefined;

/** Text becomes bytes in pieces of this length: a megabyte at once, flattened and encoded, would hold the loop for milliseconds. */
const PIECE_CHARS = 32 * 1024;

export class Exposition {
  private text = '';
  private readonly pieces: Buffer[] = [];

  constructor(
    private readonly format: Format,
    private readonly pause: Pause,
  ) {}

  async add(family: MetricFamily): Promise<void> {
    let hasHead = false;
    for (const sample of family.samples) {
      if (!hasHead) this.head(family);
      hasHead = true;
      this.sample(family, sample);
      if (this.text.length >= PIECE_CHARS) this.cut();
      const paused = this.pause();
      if (paused !== undefined) await paused;
    }
  }

  finish(): Uint8Array {
    if (this.format === 'openmetrics') this.text += '# EOF\n';
    this.cut();
    return Buffer.concat(this.pieces);
  }

  private cut(): void {
    this.pieces.push(Buffer.from(this.text));
    this.text = '';
  }

  private head({ name, type, help }: MetricFamily): void {
    const isCounter = type === 'counter';
    const isOpen = this.format === 'openmetrics';
    // OpenMetrics knows counters by their ending; one without it can only be of an unknown type.
    const shown = isOpen && isCounter ? name.replace(/_total$/, '') : name;
    const shownType = isOpen && isCounter && shown === name ? 'unknown' : type;
    this.text += `# HELP ${shown} ${isOpen ? escape(help) : escapeHelp(help)}\n# TYPE ${shown} ${shownType}\n`;
    const unit = /_(seconds|bytes)$/.exec(shown)?.[1];
    if (isOpen && unit !== undefined) this.text += `# UNIT ${shown} ${unit}\n`;
  }

  private sample({ name }: MetricFamily, sample: Sample): void {
    const labels = labelText(sample.labels);
    if ('value' in sample) {
      this.text += `${name}${sample.suffix ?? ''}${labels === '' ? '' : `{${labels}}`} ${numberText(sample.value)}\n`;
    } else if ('durations' in sample) {
      this.durations(name, labels, sample.durations, sample.exemplars);
    } else {
      const bounds = [...sample.bounds.map(String), '+Inf'];
      const cumulative: number[] = [];
      sample.counts.reduce((sum, count, at) => (cumulative[at] = sum + count), 0);
      this.histogram(name, labels, bounds, cumulative, sample.sum, undefined);
    }
  }

  private durations(
    name: string,
    labels: string,
    { counts, sumNs }: DurationCounts,
    exemplars: ReadonlyArray<Exemplar | undefined> | undefined,
  ): void {
    const cumulative: number[] = [];
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      sum += counts[bucket]!;
      if (bucket % STEPS_PER_OCTAVE === STEPS_PER_OCTAVE - 1 && cumulative.length < OCTAVE_BOUNDS.length)
        cumulative.push(sum);
    }
    cumulative.push(sum);
    this.histogram(name, labels, DURATION_BOUNDS, cumulative, Number(sumNs) / 1e9, exemplars);
  }

  private histogram(
    name: string,
    labels: string,
    bounds: readonly string[],
    cumulative: readonly number[],
    sum: number,
    exemplars: ReadonlyArray<Exemplar | undefined> | undefined,
  ): void {
    const isOpen = this.format === 'openmetrics';
    const begin = `${name}_bucket{${labels === '' ? '' : `${labels},`}le="`;
    let text = '';
    for (let at = 0; at < bounds.length; at += 1) {
      text += `${begin}${bounds[at]}"} ${cumulative[at]}${isOpen ? exemplarText(exemplars?.[at]) : ''}\n`;
    }
    const end = labels === '' ? '' : `{${labels}}`;
    this.text += `${text}${name}_sum${end} ${numberText(sum)}\n${name}_count${end} ${cumulative.at(-1) ?? 0}\n`;
  }
}

const DURATION_BOUNDS: readonly string[] = [...OCTAVE_BOUNDS, '+Inf'];
