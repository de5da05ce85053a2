/** `sluice bench`: load for any V2 server, in modes that each answer one question; and the comparison of two results. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { BenchError } from '../bench/bench-error.js';
import { BenchRun } from '../bench/bench-run.js';
import { compareSeries, failedChanges, seriesOf } from '../bench/compare.js';
import { failedGates, parseGate, type Gate } from '../bench/gates.js';
import { findGenerator } from '../bench/generator.js';
import { htmlReport } from '../bench/html.js';
import { describeMachine } from '../bench/machine.js';
import * as modes from '../bench/modes.js';
import { frameRequests, prepareRequests } from '../bench/requests.js';
import type { BenchReport } from '../bench/result.js';
import * as tables from '../bench/tables.js';
import { readBenchOptions, type BenchFlags, type BenchSettings } from './bench-flags.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { writeTable, type TextOutput } from './text-table.js';

const EXAMPLES = `
Examples:
  sluice bench http://127.0.0.1:8000 -m digits --rate 2000                a fixed rate, Poisson arrivals
  sluice bench http://127.0.0.1:8000 -m digits --mode sweep --html r.html the latency-throughput curve, as a page
  sluice bench http://127.0.0.1:8000 -m digits --mode search --limit 5ms  the highest rate with p99 within 5 ms
  sluice bench http://127.0.0.1:8000 -m a=9 -m b --rows 1,8 --rate 500    two models mixed 9 to 1, two batch sizes
  sluice bench http://127.0.0.1:8000 -m digits --mode overload --deadline 50
  sluice bench http://127.0.0.1:8000 -m digits --rate 2000 --out now.json --fail-if "p99>5ms" --fail-if "failing>0.1%"
  sluice bench compare before.json now.json --fail-if "p99>+10%"`;

function runMode(bench: BenchRun, settings: BenchSettings): Promise<modes.Findings> {
  const rate = (): number => {
    if (settings.ratePerS !== undefined) return settings.ratePerS;
    throw new BenchError(`--mode ${settings.mode} needs --rate`, true);
  };
  switch (settings.mode) {
    case 'rate':
      return modes.runRate(bench, rate());
    case 'closed':
      return modes.runClosed(bench);
    case 'trace':
      if (settings.traceFile === undefined) throw new BenchError('--mode trace needs --trace', true);
      return modes.runTrace(bench, settings.traceFile);
    case 'sweep':
      return modes.runSweep(bench, settings.rates);
    case 'search':
      return modes.runSearch(bench, { percent: settings.percent, us: settings.limitUs }, settings.precision);
    case 'offline':
      return modes.runOffline(bench, settings.samples);
    case 'overload':
      return modes.runOverload(bench, settings.multiples);
    case 'soak':
      return modes.runSoak(bench, rate(), settings.minutes);
  }
}

async function runBench(settings: BenchSettings): Promise<BenchReport> {
  findGenerator();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const isTerminal = process.stderr.isTTY;
  try {
    const requests = settings.url.startsWith('ws:')
      ? frameRequests(settings.frameFiles, settings.headers)
      : await prepareRequests({ ...settings, folder });
    const bench = new BenchRun({
      ...settings,
      base: { ...settings, url: settings.loadUrl, folder, requests },
      showProgress: (text) => void (isTerminal && process.stderr.write(`\r\x1b[2K${text}`)),
    });
    const findings = await runMode(bench, settings);
    if (isTerminal) process.stderr.write('\r\x1b[2K');
    return {
      format: 'sluice-bench',
      formatVersion: 1,
      at: new Date().toISOString(),
      mode: settings.mode,
      url: settings.url,
      seed: settings.seed,
      connections: settings.connections,
      deadlineMs: settings.deadlineMs ?? null,
      requests: [...new Set(requests.map(({ name }) => name))],
      machine: describeMachine(),
      points: bench.points,
      findings,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(report: BenchReport, output: TextOutput): void {
  writeTable(output, tables.POINT_HEAD, tables.pointRows(report.points));
  const names = tables.nameRows(report.points);
  if (names.length > 0) {
    output.write('\n');
    writeTable(output, tables.NAME_HEAD, names);
  }
  for (const line of tables.findingLines(report)) output.write(`${line}\n`);
}

function endWith(failed: readonly string[]): void {
  if (failed.length > 0) throw new CommandEnd(EXIT.gateFailed, `stopped by ${failed.join('; ')}`);
}

function gatesOf(texts: readonly string[] | undefined): Gate[] {
  return (texts ?? []).map(parseGate);
}

/** Errors of the bench as ends of the command. */
async function ending(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    throw new CommandEnd(error.isUsage ? EXIT.usage : EXIT.unexpected, error.message);
  }
}

async function benchAction(url: string, flags: BenchFlags, output: TextOutput): Promise<void> {
  const gates = gatesOf(flags.failIf);
  const report = await runBench(readBenchOptions(url, flags));
  const text = `${JSON.stringify(report, undefined, 1)}\n`;
  if (flags.out !== undefined) writeFileSync(flags.out, text);
  if (flags.html !== undefined) writeFileSync(flags.html, htmlReport(report));
  if (flags.json === true) output.write(text);
  else print(report, output);
  endWith(failedGates(report.points, gates));
}

function readResult(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new BenchError(
      `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
      true,
    );
  }
}

interface CompareFlags {
  readonly json?: boolean;
  readonly failIf?: string[];
}

function compareAction(baseFile: string, file: string, flags: CompareFlags, output: TextOutput): void {
  const gates = gatesOf(flags.failIf);
  const { comparisons, missing } = compareSeries(
    seriesOf(readResult(baseFile), baseFile),
    seriesOf(readResult(file), file),
  );
  if (flags.json === true) {
    output.write(`${JSON.stringify({ comparisons, missing }, undefined, 1)}\n`);
  } else {
    writeTable(output, tables.COMPARISON_HEAD, tables.comparisonRows(comparisons));
    if (missing.length > 0) output.write(`only in one of them: ${missing.join(', ')}\n`);
  }
  if (comparisons.length === 0) throw new BenchError('the two results have no point in common');
  endWith(failedChanges(comparisons, gates));
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addBench(program: Command, output: TextOutput = process.stdout): void {
  // The flags after `compare` are its own; each level above it must know that.
  const bench = program
    .enablePositionalOptions()
    .command('bench')
    .enablePositionalOptions()
    .summary('load a V2 server and tell what it can do')
    .description(
      'Loads any V2 server with a native open-loop generator; latency counts from the intended send time.',
    )
    .argument('<url>', 'http://host:port, or ws://host:port/path with --frame')
    .option('-m, --model <name>', 'NAME[:VERSION][=WEIGHT]; more than one are mixed by weight', collect)
    .option('--mode <mode>', 'rate, sweep, search, offline, overload, soak, closed or trace (default: rate)')
    .option('--rate <n>', 'requests per second')
    .option('--rates <list>', 'rates of a sweep (default: shares of what a closed loop finds)')
    .option('--arrivals <kind>', 'poisson, constant or bursty (default: poisson)')
    .option('--trace <file>', 'intended send times in microseconds, one a line')
    .option('--duration <s>', 'seconds of a round (default: 5)')
    .option('--warmup <s>', 'seconds before a round that do not count (default: 0.5)')
    .option('--rounds <n>', 'rounds of a point in rate, closed and sweep (default: 1; compare needs 3)')
    .option('--minutes <n>', 'length of a soak (default: 10)')
    .option('--connections <n>', 'sockets (default: 64)')
    .option('--threads <n>', 'threads of the generator (default: 1)')
    .option('--in-flight <n>', 'frames under way on a WebSocket (default: 1)')
    .option('--seed <n>', 'of arrivals and inputs (default: 1)')
    .option('--rows <list>', 'rows of a request; several are mixed evenly (default: 1)')
    .option('--shape <spec>', 'INPUT:DIM,DIM,... without the rows; -1 is drawn from --length', collect)
    .option('--length <range>', 'for dimensions that vary, e.g. 8-256, log-normal (default: 16)')
    .option('--form <form>', 'binary, json, or frame for frames over WebSocket (default: binary)')
    .option(
      '--body <file>',
      'a V2 request in JSON to send instead of random inputs; several are mixed',
      collect,
    )
    .option('--frame <file>', 'a WebSocket frame to send', collect)
    .option('--distinct <n>', 'different random bodies per model and rows (default: 8)')
    .option('--header <line>', '"Name: value" to send with every request', collect)
    .option(
      '--verify [tolerance]',
      'compare every answer with the first one to the same request (default: 1e-4)',
    )
    .option('--deadline <ms>', 'sent as Sluice-Deadline-Ms; only answers within it are good (overload: 100)')
    .option('--multiples <list>', 'of the ceiling, for overload (default: 0.1 to 20)')
    .option('--limit <time>', 'that the percentile of a search must keep, e.g. 5ms')
    .option('--percent <p>', 'the percentile of a search (default: 99)')
    .option('--precision <share>', 'where a search stops halving (default: 0.02)')
    .option('--samples <n>', 'rows of an offline run (default: 24576)')
    .option('--stats-url <url>', 'where /v2/models/.../stats is answered (default: the same server)')
    .option('--out <file>', 'write the result as JSON')
    .option('--html <file>', 'write the result as a page with plots')
    .option('--json', 'print JSON')
    .option(
      '--fail-if <condition>',
      'end with exit code 4, e.g. "p99>5ms", "rate<1000", "failing>0.1%", "invalid"',
      collect,
    )
    .addHelpText('after', EXAMPLES)
    .action((url: string, flags: BenchFlags) => ending(() => benchAction(url, flags, output)));
  bench
    .command('compare')
    .summary('compare two results round by round')
    .argument('<base>', 'a result written by --out, or by npm run bench')
    .argument('<result>', 'another')
    .option('--json', 'print JSON')
    .option('--fail-if <change>', 'end with exit code 4, e.g. "p99>+10%", "rate<-5%"', collect)
    .action((base: string, file: string, flags: CompareFlags) =>
      ending(async () => compareAction(base, file, flags, output)),
    );
}
