/** Results as tables for people: sides first, then comparisons with their targets, then what to distrust. */

function number(value) {
  if (!Number.isFinite(value)) return '-';
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

const spread = ({ median, min, max }) =>
  Number.isFinite(median) ? `${number(median)} (${number(min)} - ${number(max)})` : '-';

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

function targetOf({ atLeast, atMost, addsAtMost, isMet }) {
  if (atLeast !== undefined) return `at least ${atLeast}: ${isMet ? 'met' : 'MISSED'}`;
  if (atMost !== undefined) return `at most ${atMost}: ${isMet ? 'met' : 'MISSED'}`;
  if (addsAtMost !== undefined) return `adds at most ${addsAtMost} us: ${isMet ? 'met' : 'MISSED'}`;
  return '';
}

const UNITS = {
  rate: '',
  p50Us: ' p50',
  p99Us: ' p99',
  serverCpuUs: ' server CPU',
  refusedP99Us: ' refusals p99',
  recoveryS: ' until goodput is back',
  runShare: ', share of runs in processor time',
  generatorCpuUs: ' generator CPU',
};

function whatOf({ kind, subject, base, of }) {
  if (kind === 'value') return `${subject}:${UNITS[of]}`;
  return `${subject} ${kind === 'ratio' ? '/' : '-'} ${base}${UNITS[of]}`;
}

function unitOf({ kind, of }) {
  if (kind === 'ratio') return '';
  return of.endsWith('Us') ? ' us' : of.endsWith('S') ? ' s' : '';
}

function comparisonRow(comparison) {
  return [whatOf(comparison), spread(comparison) + unitOf(comparison), targetOf(comparison)];
}

export function scenarioText(result) {
  const sides = [['side', 'requests/s (rows/s)', 'p50 us', 'p99 us', 'server CPU us', 'generator busy']];
  for (const [name, side] of Object.entries(result.sides)) {
    const busy = side.generatorBusy.median;
    sides.push([
      name,
      spread(side.rate),
      number(side.p50Us.median),
      number(side.p99Us.median),
      spread(side.serverCpuUs),
      Number.isFinite(busy) ? `${Math.round(busy * 100)} %` : '-',
    ]);
  }
  const notes = Object.entries(result.sides)
    .filter(([, side]) => side.notValidRounds > 0)
    .map(([name, side]) => `not valid in ${side.notValidRounds} rounds: ${name}: ${side.notValid[0]}`);
  if (!result.isSteady)
    notes.push('fewer steady rounds than asked for: the machine was too noisy to trust this');
  const kept = `${result.keptRounds} rounds kept, ${result.discardedRounds} discarded`;
  const steal = (result.machine.stealShare * 100).toFixed(1);
  return [
    `${result.name}: ${result.title}`,
    `layout ${result.layout}; ${kept}; steal ${steal} %; load ${result.machine.loadAverage.toFixed(1)}`,
    table(sides),
    table([['comparison', 'median (min - max)', 'target'], ...result.comparisons.map(comparisonRow)]),
    ...notes.map((note) => `! ${note}`),
    '',
  ].join('\n');
}

export function machineText(machine) {
  const { processor, cores, flags, memoryGiB, kernel, node, uWebSockets, onnxruntime, commit } = machine;
  return [
    `${processor}, ${cores} cores (${flags.join(' ')}), ${memoryGiB} GiB, Linux ${kernel}`,
    `Node ${node}, uWebSockets.js ${uWebSockets}, ONNX Runtime ${onnxruntime}, commit ${commit}${machine.hasLocalChanges ? ' with changes' : ''}`,
    '',
  ].join('\n');
}

/** The ratios that have a name (R1 to R11 of the method), over all scenarios, and by how much a missed one misses. */
export function ratioTable(results) {
  const rows = results.flatMap(({ name, keptRounds, comparisons }) =>
    comparisons
      .filter(({ id }) => id !== undefined)
      .map((comparison) => [comparison.id, name, ...comparisonRow(comparison), String(keptRounds)]),
  );
  if (rows.length === 0) return '';
  const byNumber = (a, b) => Number(a[0].slice(1)) - Number(b[0].slice(1));
  return table([['', 'scenario', 'what', 'median (min - max)', 'target', 'rounds'], ...rows.sort(byNumber)]);
}
