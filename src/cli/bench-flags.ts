/** The flags of `sluice bench` as settings: numbers read, lists split, what does not go together refused. */
import { BenchError } from '../bench/bench-error.js';
import type { ModelChoice } from '../bench/requests.js';

export interface BenchFlags {
  readonly model?: string[];
  readonly mode?: string;
  readonly rate?: string;
  readonly rates?: string;
  readonly arrivals?: string;
  readonly trace?: string;
  readonly duration?: string;
  readonly warmup?: string;
  readonly rounds?: string;
  readonly minutes?: string;
  readonly connections?: string;
  readonly threads?: string;
  readonly inFlight?: string;
  readonly seed?: string;
  readonly rows?: string;
  readonly shape?: string[];
  readonly length?: string;
  readonly form?: string;
  readonly body?: string[];
  readonly frame?: string[];
  readonly distinct?: string;
  readonly header?: string[];
  readonly verify?: string | true;
  readonly deadline?: string;
  readonly multiples?: string;
  readonly limit?: string;
  readonly percent?: string;
  readonly precision?: string;
  readonly samples?: string;
  readonly statsUrl?: string;
  readonly out?: string;
  readonly html?: string;
  readonly json?: boolean;
  readonly failIf?: string[];
}

const MODES = ['rate', 'closed', 'trace', 'sweep', 'search', 'offline', 'overload', 'soak'] as const;
const ARRIVALS = ['poisson', 'constant', 'bursty'] as const;
const FORMS = ['binary', 'json', 'frame'] as const;
const FRAME_PATH = '/v2/ws';
const OVERLOAD_DEADLINE_MS = 100;
const VERIFY_TOLERANCE = 1e-4;
const UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1e6 };

function usage(text: string): BenchError {
  return new BenchError(text, true);
}

function numberOf(flag: string, text: string | undefined, fallback: number, least: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && Number.isFinite(value)) return value;
  throw usage(`expected a number of at least ${least} for --${flag}, got "${text}"`);
}

function countOf(flag: string, text: string | undefined, fallback: number): number {
  const value = numberOf(flag, text, fallback, 1);
  if (Number.isSafeInteger(value)) return value;
  throw usage(`expected a whole number for --${flag}, got "${text}"`);
}

function listOf(flag: string, text: string | undefined, least: number): number[] {
  return text === undefined ? [] : text.split(',').map((part) => numberOf(flag, part, NaN, least));
}

function oneOf<T extends string>(flag: string, text: string | undefined, known: readonly T[]): T {
  const found = known.find((word) => word === (text ?? known[0]));
  if (found !== undefined) return found;
  throw usage(`expected ${known.join(', ')} for --${flag}, got "${text}"`);
}

function modelOf(text: string): ModelChoice {
  const [, model = '', version, weight] = /^([^:=]+)(?::([^=]+))?(?:=(.+))?$/.exec(text) ?? [];
  if (model === '') throw usage(`expected NAME[:VERSION][=WEIGHT] for --model, got "${text}"`);
  const choice = { model, weight: numberOf('model', weight, 1, 0) };
  return version === undefined ? choice : { ...choice, version };
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^\s:]+):\s*(.*)$/.exec(line) ?? [];
      if (name === undefined) throw usage(`expected "Name: value" for --header, got "${line}"`);
      return [name, value ?? ''];
    }),
  );
}

function shapesOf(texts: readonly string[]): Map<string, number[]> {
  return new Map(
    texts.map((text) => {
      const at = text.lastIndexOf(':');
      if (at <= 0) throw usage(`expected INPUT:DIM,DIM,... for --shape, got "${text}"`);
      return [text.slice(0, at), listOf('shape', text.slice(at + 1), -1)];
    }),
  );
}

function lengthOf(text = '16'): [number, number] {
  const [, least, most] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const range: [number, number] = [Number(least), Number(most ?? least)];
  if (range[0] >= 1 && range[0] <= range[1]) return range;
  throw usage(`expected a length or a range like 8-256 for --length, got "${text}"`);
}

function timeUs(flag: string, text: string | undefined): number {
  if (text === undefined) return NaN;
  const [, number, unit] = /^([\d.]+)\s*(us|ms|s)$/.exec(text) ?? [];
  const us = Number(number) * (UNITS_US[unit ?? ''] ?? NaN);
  if (us > 0) return us;
  throw usage(`expected a time like 5ms for --${flag}, got "${text}"`);
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'wss:')
    throw usage(`TLS is not spoken by the load generator: give the plain address, got "${text}"`);
  if (url?.protocol !== 'http:' && url?.protocol !== 'ws:')
    throw usage(`expected a URL like http://127.0.0.1:8000, got "${text}"`);
  const path = url.protocol === 'ws:' ? url.pathname : '';
  return `${url.protocol}//${url.hostname}:${url.port === '' ? '80' : url.port}${path}`;
}

export type BenchSettings = ReturnType<typeof readBenchOptions>;

export function readBenchOptions(text: string, flags: BenchFlags) {
  const url = urlOf(text);
  const mode = oneOf('mode', flags.trace === undefined ? flags.mode : (flags.mode ?? 'trace'), MODES);
  const models = (flags.model ?? []).map(modelOf);
  const isWebSocket = url.startsWith('ws:');
  if (isWebSocket && flags.frame === undefined)
    throw usage('a ws:// URL needs --frame: files with the frames to send');
  if (!isWebSocket && flags.frame !== undefined) throw usage('--frame needs a ws:// URL');
  if (!isWebSocket && models.length === 0) throw usage('expected --model: which model to ask');
  const form = oneOf('form', flags.form, FORMS);
  if (form === 'frame' && (isWebSocket || flags.body !== undefined || flags.verify !== undefined))
    throw usage('--form frame goes with an http:// URL, and neither with --body nor with --verify');
  const limitUs = timeUs('limit', flags.limit);
  if (mode === 'search' && Number.isNaN(limitUs)) throw usage('--mode search needs --limit, e.g. 5ms');
  const deadlineText = flags.deadline ?? (mode === 'overload' ? String(OVERLOAD_DEADLINE_MS) : undefined);
  const deadlineMs = deadlineText === undefined ? undefined : numberOf('deadline', deadlineText, NaN, 0.001);
  const headers = headersOf(flags.header ?? []);
  if (deadlineMs !== undefined) headers['Sluice-Deadline-Ms'] = String(Math.ceil(deadlineMs));
  const isVerified = flags.verify !== undefined;
  const verify = typeof flags.verify === 'string' ? flags.verify : undefined;
  const durationS = numberOf('duration', flags.duration, 5, 0.05);
  return {
    url,
    mode,
    models,
    ratePerS: flags.rate === undefined ? undefined : numberOf('rate', flags.rate, NaN, 0.001),
    rates: listOf('rates', flags.rates, 0.001),
    arrivals: oneOf('arrivals', flags.arrivals, ARRIVALS),
    traceFile: flags.trace,
    durationS,
    warmupS: numberOf('warmup', flags.warmup, 0.5, 0),
    timelineS: durationS < 5 ? 0.1 : 1,
    rounds: countOf('rounds', flags.rounds, 1),
    minutes: numberOf('minutes', flags.minutes, 10, 0.01),
    // Under overload the limit must be the server's, not the number of sockets.
    connections: countOf('connections', flags.connections, mode === 'overload' ? 256 : 64),
    threads: countOf('threads', flags.threads, 1),
    inFlight: countOf('in-flight', flags.inFlight, 1),
    seed: countOf('seed', flags.seed, 1),
    rows: flags.rows === undefined ? [1] : listOf('rows', flags.rows, 1),
    shapes: shapesOf(flags.shape ?? []),
    length: lengthOf(flags.length),
    form,
    loadUrl: form === 'frame' ? url.replace('http:', 'ws:') + FRAME_PATH : url,
    bodyFiles: flags.body ?? [],
    frameFiles: flags.frame ?? [],
    distinct: countOf('distinct', flags.distinct, 8),
    headers,
    isVerified,
    tolerance: isVerified ? numberOf('verify', verify, VERIFY_TOLERANCE, 0) : 0,
    deadlineMs,
    multiples: listOf('multiples', flags.multiples, 0.001),
    limitUs,
    percent: numberOf('percent', flags.percent, 99, 1),
    precision: numberOf('precision', flags.precision, 0.02, 0.001),
    samples: countOf('samples', flags.samples, 24_576),
    statsUrl: flags.statsUrl ?? (isWebSocket ? undefined : url),
  };
}
