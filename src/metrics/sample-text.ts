/**
 * Samples as lines of text: Prometheus 0.0.4, or OpenMetrics 1.0 with exemplars. Written by hand because a version has hundreds
 * of lines: a library that makes an object of every line would hold the loop for tens of milliseconds. Pure.
 *
 * A histogram is always written with all of its bounds. Left-out ones would save bytes, but boards add up series of several
 * versions by `le`, and a bound that one of them lacks makes that sum too small.
 */
import { BUCKETS, bucketUpperNs, OCTAVES, type DurationCounts } from '../core/version-stats.js';
import type { Exemplar, FamilyHead, Labels, LabelText, Sample } from './family.js';

export type Format = 'prometheus' | 'openmetrics';

/** Durations are shown by powers of two microseconds up to this one (33.6 s); the statistics are eight times as fine. */
const SHOWN_OCTAVES = 25;

const STEPS_PER_OCTAVE = (BUCKETS - 1) / (OCTAVES + 1);
const OCTAVE_BOUNDS = Array.from(
  { length: SHOWN_OCTAVES + 1 },
  (_, octave) => bucketUpperNs(octave * STEPS_PER_OCTAVE + STEPS_PER_OCTAVE - 1) / 1e9,
);

/** Place of a duration among the shown buckets. */
export function octaveOf(seconds: number): number {
  const at = OCTAVE_BOUNDS.findIndex((bound) => seconds <= bound);
  return at < 0 ? OCTAVE_BOUNDS.length : at;
}

function escape(text: string): string {
  return text.replace(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`));
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (letter) => (letter === '\n' ? '\\n' : '\\\\'));
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

export function labelText(labels: Labels | LabelText): LabelText {
  if (typeof labels === 'string') return labels;
  let text = '';
  for (const name in labels) text = withLabel(text, name, labels[name]!);
  return text;
}

export function withLabel(text: LabelText, name: string, value: string | number): LabelText {
  const one = `${name}="${typeof value === 'string' ? escape(value) : value}"`;
  return text === '' ? one : `${text},${one}`;
}

export function headText({ name, type, help }: FamilyHead, format: Format): string {
  const isCounter = type === 'counter';
  const isOpen = format === 'openmetrics';
  // OpenMetrics knows counters by their ending; one without it can only be of an unknown type.
  const shown = isOpen && isCounter ? name.replace(/_total$/, '') : name;
  const shownType = isOpen && isCounter && shown === name ? 'unknown' : type;
  const unit = isOpen ? /_(seconds|bytes)$/.exec(shown)?.[1] : undefined;
  return (
    `# HELP ${shown} ${isOpen ? escape(help) : escapeHelp(help)}\n# TYPE ${shown} ${shownType}\n` +
    (unit === undefined ? '' : `# UNIT ${shown} ${unit}\n`)
  );
}

export function sampleText(name: string, sample: Sample, format: Format): string {
  const labels = labelText(sample.labels);
  if ('value' in sample)
    return `${name}${sample.suffix ?? ''}${labels === '' ? '' : `{${labels}}`} ${numberText(sample.value)}\n`;
  if ('durations' in sample)
    return durationsText(
      name,
      labels,
      sample.durations,
      format === 'openmetrics' ? sample.exemplars : undefined,
    );
  const cumulative: number[] = [];
  sample.counts.reduce((sum, count, at) => (cumulative[at] = sum + count), 0);
  return histogramText(name, labels, bucketEnds(sample.bounds), cumulative, sample.sum, undefined);
}

function durationsText(
  name: string,
  labels: string,
  { counts, sumNs }: DurationCounts,
  exemplars: ReadonlyArray<Exemplar | undefined> | undefined,
): string {
  const cumulative: number[] = [];
  let sum = 0;
  let bucket = 0;
  for (let octave = 0; octave <= SHOWN_OCTAVES; octave += 1) {
    for (const end = bucket + STEPS_PER_OCTAVE; bucket < end; bucket += 1) sum += counts[bucket]!;
    cumulative.push(sum);
  }
  for (; bucket < BUCKETS; bucket += 1) sum += counts[bucket]!;
  cumulative.push(sum);
  return histogramText(name, labels, DURATION_ENDS, cumulative, Number(sumNs) / 1e9, exemplars);
}

function histogramText(
  name: string,
  labels: string,
  ends: readonly string[],
  cumulative: readonly number[],
  sum: number,
  exemplars: ReadonlyArray<Exemplar | undefined> | undefined,
): string {
  const begin = `${name}_bucket{${labels === '' ? '' : `${labels},`}le="`;
  let text = '';
  for (let at = 0; at < ends.length; at += 1)
    text += `${begin}${ends[at]}${cumulative[at]}${exemplars === undefined ? '' : exemplarText(exemplars[at])}\n`;
  const end = labels === '' ? ' ' : `{${labels}} `;
  return `${text}${name}_sum${end}${numberText(sum)}\n${name}_count${end}${cumulative.at(-1) ?? 0}\n`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  return ` # {trace_id="${exemplar.traceId}"} ${exemplar.seconds} ${exemplar.atMs / 1000}`;
}

/** What stands between the begin of a bucket's line and its count. */
function bucketEnds(bounds: readonly number[]): string[] {
  return [...bounds.map(String), '+Inf'].map((bound) => `${bound}"} `);
}

const DURATION_ENDS: readonly string[] = bucketEnds(OCTAVE_BOUNDS);
