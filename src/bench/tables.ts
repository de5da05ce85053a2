/** A report as rows of text, for a terminal and for the page. */
import { usAt } from './bench-run.js';
import type { Comparison } from './compare.js';
import type { BenchReport, Point } from './result.js';

export const POINT_HEAD = [
  'POINT',
  'OFFERED/S',
  'ANSWERS/S',
  'GOOD/S',
  'P50',
  'P90',
  'P99',
  'P99.9',
  'MAX',
  'NOT 200',
  'FAILED',
  'GIVEN UP',
  'GENERATOR',
];

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

export function formatUs(us: number): string {
  if (!Number.isFinite(us)) return '-';
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 1e3) return `${(us / 1e3).toFixed(us >= 1e5 ? 0 : 2)} ms`;
  return `${us.toFixed(us >= 100 ? 0 : 1)} us`;
}

/** A percentile as far as it can be believed. */
function percentileText(point: Point, percent: number): string {
  const found = usAt(point, percent);
  if (found === undefined || found.trust === 'none') return '-';
  return `${found.trust === 'weak' ? '~' : ''}${formatUs(found.us)}`;
}

export function pointRows(points: readonly Point[]): string[][] {
  return points.map((point) => [
    point.label,
    point.offeredPerS === null ? '-' : count(point.offeredPerS),
    count(point.achievedPerS),
    count(point.goodPerS),
    ...[50, 90, 99, 99.9].map((percent) => percentileText(point, percent)),
    formatUs(point.maxUs),
    count(point.replies - (point.byStatus['200'] ?? 0)),
    count(point.failures + point.mismatched),
    count(point.givenUp),
    `${Math.round(point.generatorBusy * 100)} %, lag ${formatUs(point.sendLagP99Us)}${point.valid ? '' : ' NOT VALID'}`,
  ]);
}

export const NAME_HEAD = ['POINT', 'REQUESTS', 'P50', 'P90', 'P99', 'P99.9'];

/** Where several kinds of requests were mixed: each by itself. */
export function nameRows(points: readonly Point[]): string[][] {
  return points.flatMap((point) =>
    Object.entries(point.byName).map(([name, percentiles]) => [
      point.label,
      name,
      ...[50, 90, 99, 99.9].map((percent) => percentileText({ ...point, percentiles }, percent)),
    ]),
  );
}

function findingText(name: string, value: number | string | null): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  if (value === null) return `${words}: none`;
  if (typeof value === 'string') return `${words}: ${value}`;
  return `${words}: ${Math.abs(value) >= 100 ? count(value) : Number(value.toPrecision(3))}`;
}

export function findingLines(report: BenchReport): string[] {
  const lines = Object.entries(report.findings).map(([name, value]) => findingText(name, value));
  const isShort = report.points.some((point) =>
    point.percentiles.some(({ percent, trust }) => percent <= 99.9 && trust !== 'good'),
  );
  if (isShort)
    lines.push(
      'too few samples for some percentiles: ~ rests on fewer than 100 beyond it, - on fewer than 10',
    );
  for (const { label, valid, reasons } of report.points) {
    if (!valid) lines.push(`not valid: ${label}: ${reasons.join('; ')}`);
  }
  return lines;
}

export const COMPARISON_HEAD = [
  'POINT',
  'METRIC',
  'BASE',
  'NOW',
  'RATIO',
  '95 % INTERVAL',
  'PAIRS',
  'VERDICT',
];

function valueText(metric: string, value: number): string {
  return metric === 'rate' || metric === 'goodput' ? count(value) : formatUs(value);
}

export function comparisonRows(comparisons: readonly Comparison[]): string[][] {
  return comparisons.map(({ label, metric, base, subject, ratio, interval, pairs, isDifferent }) => [
    label,
    metric,
    valueText(metric, base),
    valueText(metric, subject),
    ratio.toFixed(3),
    interval === null ? '-' : `${interval[0].toFixed(3)} - ${interval[1].toFixed(3)}`,
    String(pairs),
    interval === null ? 'too few rounds to tell' : isDifferent ? 'different' : 'no difference shown',
  ]);
}
