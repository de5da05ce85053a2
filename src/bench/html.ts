/** A report as one page that needs nothing else: plots as inline SVG, numbers as tables, the result itself inside as JSON. */
import { usAt } from './bench-run.js';
import type { BenchReport, Point } from './result.js';
import { barChart, escapeText, lineChart, shortNumber } from './svg.js';
import { pointRows, POINT_HEAD, findingLines } from './tables.js';

const MOST_CURVES = 8;

const STYLE = `:root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .5rem;text-align:right;white-space:nowrap;font-size:12px;border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.bad{color:#dc2626}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{opacity:.7}dd{margin:0}
div.wide{overflow-x:auto}`;

const us = (value: number): string =>
  value >= 1e6
    ? `${shortNumber(value / 1e6)} s`
    : value >= 1000
      ? `${shortNumber(value / 1000)} ms`
      : `${shortNumber(value)} us`;

function isOpen(point: Point): boolean {
  return point.offeredPerS !== null;
}

function latencyOverThroughput(points: readonly Point[]): string[] {
  const open = points.filter(isOpen);
  if (open.length < 2) return [];
  // By what was offered: past the ceiling the curve turns back.
  const sorted = [...open].sort((a, b) => (a.offeredPerS ?? 0) - (b.offeredPerS ?? 0));
  const series = [50, 99, 99.9].map((percent) => ({
    name: `p${percent}`,
    points: sorted
      .filter((point) => usAt(point, percent)?.trust !== 'none')
      .map((point): [number, number] => [point.achievedPerS, usAt(point, percent)?.us ?? NaN]),
  }));
  return [
    lineChart(series, {
      title: 'Latency over throughput',
      xLabel: 'answers per second',
      yLabel: 'latency',
      isYLog: true,
      yTick: us,
    }),
  ];
}

function goodputCurve({ points, deadlineMs }: BenchReport): string[] {
  const open = points.filter((point) => isOpen(point) && point.rounds.length > 0);
  if (deadlineMs === null || open.length < 2) return [];
  const sorted = [...open].sort((a, b) => (a.offeredPerS ?? 0) - (b.offeredPerS ?? 0));
  const of = (read: (point: Point) => number): Array<[number, number]> =>
    sorted.map((point) => [point.offeredPerS ?? NaN, Math.max(1, read(point))]);
  const seconds = (point: Point): number => point.replies / Math.max(1e-9, point.achievedPerS);
  const refused = (point: Point): number => (point.replies - (point.byStatus['200'] ?? 0)) / seconds(point);
  return [
    lineChart(
      [
        { name: 'offered', points: of((point) => point.offeredPerS ?? NaN), isDashed: true },
        { name: `good, within ${deadlineMs} ms`, points: of((point) => point.goodPerS) },
        { name: 'refused', points: of(refused) },
      ],
      {
        title: 'Goodput over offered load',
        xLabel: 'offered per second',
        yLabel: 'per second',
        isXLog: true,
        isYLog: true,
      },
    ),
  ];
}

/** Shares are placed by how rare what lies beyond is: 90 %, 99 %, 99.9 % have the same distance. */
function percentileCurves(points: readonly Point[]): string[] {
  const step = Math.max(1, Math.ceil(points.length / MOST_CURVES));
  const chosen = points.filter((point, i) => point.curve.length > 0 && i % step === 0);
  if (chosen.length === 0) return [];
  const series = chosen.map((point) => ({
    name: point.label,
    points: point.curve.map(([share, value]): [number, number] => [1 / (1 - share), value]),
  }));
  const xTick = (value: number): string => `${Number((100 - 100 / value).toFixed(4))} %`;
  return [
    lineChart(series, {
      title: 'Percentiles',
      xLabel: 'share of answers',
      yLabel: 'latency',
      isXLog: true,
      isYLog: true,
      xTick,
      yTick: us,
    }),
  ];
}

function timelines(points: readonly Point[]): string[] {
  const chosen = points.filter((point) => point.timeline.slots.length > 1).slice(-1);
  const joined =
    points.length > 1 && points.every((point) => point.timeline.widthS === points[0]?.timeline.widthS);
  const shown = joined ? points : chosen;
  const widthS = shown[0]?.timeline.widthS ?? 1;
  const slots = shown.flatMap((point) => point.timeline.slots);
  if (slots.length < 2) return [];
  const at = (i: number): number => (i + 0.5) * widthS;
  const per = (count: number): number => count / widthS;
  const name = joined ? 'the whole bench' : (shown[0]?.label ?? '');
  const rates = [
    {
      name: 'meant to be sent',
      points: slots.map((slot, i): [number, number] => [at(i), per(slot.scheduled)]),
      isDashed: true,
    },
    { name: 'good', points: slots.map((slot, i): [number, number] => [at(i), per(slot.good)]) },
    { name: 'refused', points: slots.map((slot, i): [number, number] => [at(i), per(slot.refused)]) },
  ];
  const tails = [
    { name: 'p50', points: slots.map((slot, i): [number, number] => [at(i), slot.p50Us]) },
    { name: 'p99', points: slots.map((slot, i): [number, number] => [at(i), slot.p99Us]) },
    { name: 'longest', points: slots.map((slot, i): [number, number] => [at(i), slot.maxUs]) },
  ];
  return [
    lineChart(rates, { title: `Answers in time: ${name}`, xLabel: 'seconds', yLabel: 'per second' }),
    lineChart(tails, {
      title: `Latency in time: ${name}`,
      xLabel: 'seconds',
      yLabel: 'latency',
      isYLog: true,
      yTick: us,
    }),
  ];
}

function serverPlots(points: readonly Point[]): string[] {
  const told = points.filter((point) => point.server.some((use) => use.requests > 0));
  const last = told.at(-1);
  if (last === undefined) return [];
  const uses = told.map((point) => ({
    label: point.label,
    use: point.server.find((one) => one.requests > 0),
  }));
  const stages = Object.keys(uses[0]?.use?.stagesUs ?? {});
  const short = (label: string): string => (label.length > 12 ? `${label.slice(0, 11)}.` : label);
  const split = barChart(
    stages,
    uses.map(({ label, use }) => ({
      label: short(label),
      parts: stages.map((stage) => use?.stagesUs[stage] ?? 0),
    })),
    { title: 'Where a request spends its time in the server', xLabel: '', yLabel: 'mean', yTick: us },
  );
  const batches = last.server.find((use) => use.runsByBatchSize.length > 0)?.runsByBatchSize ?? [];
  if (batches.length === 0) return [split];
  const bars = batches.map(([size, runs]) => ({ label: String(size), parts: [runs] }));
  return [
    split,
    barChart(['runs'], bars, {
      title: `Runs by batch size: ${last.label}`,
      xLabel: 'rows in a batch',
      yLabel: 'runs',
    }),
  ];
}

function tableText(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const cells = (tag: string, row: readonly string[]): string =>
    row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<div class="wide"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

function factList(facts: ReadonlyArray<readonly [string, string]>): string {
  return `<dl>${facts.map(([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`).join('')}</dl>`;
}

export function htmlReport(report: BenchReport): string {
  const { points } = report;
  const plots = [
    ...latencyOverThroughput(points),
    ...goodputCurve(report),
    ...percentileCurves(points),
    ...timelines(points),
    ...serverPlots(points),
  ];
  const facts: Array<[string, string]> = [
    ['url', report.url],
    ['requests', report.requests.join(', ')],
    ['connections', String(report.connections)],
    ['deadline', report.deadlineMs === null ? 'none' : `${report.deadlineMs} ms`],
    ['seed', String(report.seed)],
    ...Object.entries(report.machine).map(([name, value]): [string, string] => [
      `client ${name}`,
      String(value),
    ]),
  ];
  const json = JSON.stringify(report).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sluice bench: ${escapeText(report.mode)}</title><style>${STYLE}</style></head>
<body><h1>sluice bench, ${escapeText(report.mode)}</h1>
<p>${escapeText(report.at)}. Latency counts from the intended send time. ~ marks a percentile with few samples beyond it.</p>
<ul>${findingLines(report)
    .map((line) => `<li${line.startsWith('not valid') ? ' class="bad"' : ''}>${escapeText(line)}</li>`)
    .join('\n')}</ul>
<div class="plots">${plots.join('\n')}</div>
<h2>Points</h2>${tableText(POINT_HEAD, pointRows(points))}
<h2>Conditions</h2>${factList(facts)}
<script type="application/json" id="result">${json}</script>
</body></html>
`;
}
