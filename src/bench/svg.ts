/** Line and bar charts as SVG text: no script, no font, no network. Colours follow the page's `color-scheme`. */
export interface Series {
  readonly name: string;
  readonly points: ReadonlyArray<readonly [x: number, y: number]>;
  readonly isDashed?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isXLog?: boolean;
  readonly isYLog?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** Text of a tick; numbers as they are by default. */
  readonly xTick?: (value: number) => string;
  readonly yTick?: (value: number) => string;
}

export const COLOURS = [
  '#2563eb',
  '#dc2626',
  '#16a34a',
  '#d97706',
  '#7c3aed',
  '#0891b2',
  '#db2777',
  '#65a30d',
];
const MARGIN = { top: 34, right: 130, bottom: 44, left: 64 };
const TICKS = 5;

export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

interface Axis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

function niceStep(span: number): number {
  const rough = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((step) => step * power >= rough) ?? 10;
  return factor * power;
}

function linearAxis(most: number, from: number, to: number): Axis {
  const step = niceStep(most > 0 ? most : 1);
  const end = Math.max(step, Math.ceil((most - step * 1e-9) / step) * step);
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step);
  return { place: (value) => from + (value / end) * (to - from), ticks };
}

function logAxis(values: readonly number[], from: number, to: number): Axis {
  const least = Math.log10(Math.min(...values));
  const most = Math.log10(Math.max(...values));
  const [first, last] = [
    Math.floor(least + 1e-9),
    Math.max(Math.ceil(most - 1e-9), Math.floor(least + 1e-9) + 1),
  ];
  const decades = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const ticks =
    decades.length > 2 ? decades : decades.flatMap((tick) => [1, 2, 5].map((factor) => factor * tick));
  const place = (value: number): number =>
    from + ((Math.log10(value) - first) / (last - first)) * (to - from);
  return { place, ticks: ticks.filter((tick) => tick <= 10 ** last * 1.0001) };
}

function axisOf(values: readonly number[], isLog: boolean, from: number, to: number): Axis {
  if (isLog && values.length > 0) return logAxis(values, from, to);
  return linearAxis(Math.max(0, ...values), from, to);
}

const at = (value: number): string => value.toFixed(1);

function frameText(
  options: ChartOptions,
  [width, height]: readonly [number, number],
  x: Axis,
  y: Axis,
  marginRight = MARGIN.right,
): string[] {
  const { title, xLabel, yLabel, xTick = shortNumber, yTick = shortNumber } = options;
  const bottom = height - MARGIN.bottom;
  const right = width - marginRight;
  return [
    `<text x="${MARGIN.left}" y="18" class="title">${escapeText(title)}</text>`,
    ...y.ticks.flatMap((tick) => [
      `<line x1="${MARGIN.left}" x2="${right}" y1="${at(y.place(tick))}" y2="${at(y.place(tick))}" class="grid"/>`,
      `<text x="${MARGIN.left - 6}" y="${at(y.place(tick) + 4)}" text-anchor="end">${escapeText(yTick(tick))}</text>`,
    ]),
    ...x.ticks.map(
      (tick) =>
        `<text x="${at(x.place(tick))}" y="${bottom + 16}" text-anchor="middle">${escapeText(xTick(tick))}</text>`,
    ),
    `<line x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}" class="axis"/>`,
    `<text x="${(MARGIN.left + right) / 2}" y="${height - 8}" text-anchor="middle">${escapeText(xLabel)}</text>`,
    `<text x="14" y="${(MARGIN.top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 14 ${(MARGIN.top + bottom) / 2})">${escapeText(yLabel)}</text>`,
  ];
}

/** Beside the plot, where no line runs through it. */
function legendText(names: readonly string[], width: number): string[] {
  const x = width - MARGIN.right + 10;
  return names.map((name, i) => {
    const y = MARGIN.top + 4 + i * 16;
    const colour = COLOURS[i % COLOURS.length];
    return `<rect x="${x}" y="${y}" width="10" height="8" fill="${colour}"/><text x="${x + 14}" y="${y + 8}">${escapeText(name)}</text>`;
  });
}

export const SVG_STYLE =
  'text{font:11px system-ui,sans-serif;fill:currentColor}.title{font-size:13px;font-weight:600}' +
  '.grid{stroke:currentColor;opacity:.15}.axis{stroke:currentColor;opacity:.5}';

function svgOf(width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><style>${SVG_STYLE}</style>\n${parts.join('\n')}\n</svg>`;
}

export function lineChart(series: readonly Series[], options: ChartOptions): string {
  const { width = 550, height = 300, isXLog = false, isYLog = false } = options;
  const isDrawn = ([x, y]: readonly [number, number]): boolean =>
    Number.isFinite(x) && Number.isFinite(y) && (!isXLog || x > 0) && (!isYLog || y > 0);
  const drawn = series.map((one) => ({ ...one, points: one.points.filter(isDrawn) }));
  const all = drawn.flatMap(({ points }) => points);
  const x = axisOf(
    all.map(([value]) => value),
    isXLog,
    MARGIN.left,
    width - MARGIN.right,
  );
  const y = axisOf(
    all.map(([, value]) => value),
    isYLog,
    height - MARGIN.bottom,
    MARGIN.top,
  );
  const lines = drawn.flatMap(({ points, isDashed }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points
      .map(([px, py], k) => `${k === 0 ? 'M' : 'L'}${at(x.place(px))} ${at(y.place(py))}`)
      .join('');
    const dots =
      points.length > 20
        ? []
        : points.map(
            ([px, py]) =>
              `<circle cx="${at(x.place(px))}" cy="${at(y.place(py))}" r="2.5" fill="${colour}"/>`,
          );
    const dash = isDashed === true ? ' stroke-dasharray="5 4"' : '';
    return [`<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"${dash}/>`, ...dots];
  });
  const legend = legendText(
    series.map(({ name }) => name),
    width,
  );
  return svgOf(width, height, [...frameText(options, [width, height], x, y), ...lines, ...legend]);
}

/** One bar a label, stacked from `parts` in the order of `names`. */
export function barChart(
  names: readonly string[],
  bars: ReadonlyArray<{ readonly label: string; readonly parts: readonly number[]; readonly note?: string }>,
  options: ChartOptions,
): string {
  const { width = 550, height = 300 } = options;
  const sums = bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0));
  const y = linearAxis(Math.max(0, ...sums), height - MARGIN.bottom, MARGIN.top);
  // Only a legend needs the margin at the right.
  const right = names.length > 1 ? MARGIN.right : 16;
  const room = (width - MARGIN.left - right) / Math.max(1, bars.length);
  const x = (i: number): number => MARGIN.left + room * (i + 0.5);
  const shapes = bars.flatMap(({ label, parts, note }, i) => {
    const barWidth = Math.min(60, room * 0.7);
    let sum = 0;
    const stack = parts.map((part, k) => {
      const top = y.place(sum + part);
      const bottom = y.place(sum);
      sum += part;
      return `<rect x="${at(x(i) - barWidth / 2)}" y="${at(top)}" width="${at(barWidth)}" height="${at(bottom - top)}" fill="${COLOURS[k % COLOURS.length]}"/>`;
    });
    return [
      ...stack,
      `<text x="${at(x(i))}" y="${height - MARGIN.bottom + 16}" text-anchor="middle">${escapeText(label)}</text>`,
      ...(note === undefined
        ? []
        : [
            `<text x="${at(x(i))}" y="${at(y.place(sum) - 4)}" text-anchor="middle">${escapeText(note)}</text>`,
          ]),
    ];
  });
  const frame = frameText(options, [width, height], { place: () => 0, ticks: [] }, y, right);
  const legend = names.length > 1 ? legendText(names, width) : [];
  return svgOf(width, height, [...frame, ...shapes, ...legend]);
}
