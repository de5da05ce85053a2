/** The only place that starts sluice-load, the native generator: arguments go by a file, the result comes as JSON. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchError } from './bench-error.js';
import type { PreparedRequest } from './requests.js';
import type { LoadResult } from './result.js';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(PACKAGE, 'build', 'Release', 'sluice-load');
/** Done, but it measured the generator or the machine: the result says why. */
const EXIT_NOT_VALID = 2;

/** What all runs of a bench have in common. */
export interface LoadBase {
  readonly url: string;
  readonly folder: string;
  readonly requests: readonly PreparedRequest[];
  readonly connections: number;
  readonly threads: number;
  readonly inFlight: number;
  readonly deadlineMs: number | undefined;
  readonly tolerance: number;
}

/** What one run does. */
export interface LoadRun {
  readonly arrivals: 'closed' | 'constant' | 'poisson' | 'bursty' | 'trace';
  readonly seed: number;
  readonly ratePerS?: number;
  readonly phases?: ReadonlyArray<readonly [ratePerS: number, seconds: number]>;
  readonly traceFile?: string;
  readonly warmupS: number;
  readonly durationS?: number;
  readonly requestCount?: number;
  readonly timelineS: number;
  /** Without a deadline, although the base has one. */
  readonly isWithoutDeadline?: boolean;
}

export function findGenerator(): string {
  if (existsSync(PROGRAM)) return PROGRAM;
  throw new BenchError(
    `the load generator is not built: expected ${PROGRAM}; run "npm run build" in ${PACKAGE} ` +
      '(it needs Linux, cmake and a C++20 compiler)',
  );
}

function wordsOf(base: LoadBase, run: LoadRun): string[] {
  const words = [base.url, '--mode', run.arrivals, '--seed', String(run.seed), '--steps', '--progress'];
  const add = (flag: string, value: number | string | undefined): void => {
    if (value !== undefined) words.push(flag, String(value));
  };
  add('--connections', base.connections);
  add('--threads', base.threads);
  add('--in-flight', base.inFlight > 1 ? base.inFlight : undefined);
  if (base.url.startsWith('ws:')) words.push('--frames');
  add('--deadline-ms', run.isWithoutDeadline === true ? undefined : base.deadlineMs);
  add('--tolerance', base.tolerance);
  add('--rate', run.ratePerS);
  for (const [ratePerS, seconds] of run.phases ?? []) add('--phase', `${ratePerS}:${seconds}`);
  add('--trace', run.traceFile);
  add('--warmup-s', run.warmupS);
  add('--duration-s', run.durationS);
  add('--requests', run.requestCount);
  add('--timeline-s', run.timelineS);
  for (const request of base.requests) {
    add('--body', request.bodyFile);
    add('--path', request.path);
    add('--name', request.name);
    add('--weight', request.weight);
    for (const [name, value] of Object.entries(request.headers)) add('--header', `${name}: ${value}`);
    add('--expect', request.expectFile);
    add('--expect-float-bytes', request.expectFloatBytes);
  }
  return words;
}

/** `onProgress` hears once a second how many answers have come. */
export function runLoad(
  base: LoadBase,
  run: LoadRun,
  onProgress: (second: number, answered: number) => void,
): Promise<LoadResult> {
  const program = findGenerator();
  const options = join(base.folder, 'options');
  writeFileSync(options, wordsOf(base, run).join('\n'));
  return new Promise((resolve, reject) => {
    const child = spawn(program, [`@${options}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const progress = /^progress (\d+) (\d+)\n$/.exec(text);
      if (progress !== null) onProgress(Number(progress[1]), Number(progress[2]));
      else errors += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => {
      if (exitCode === 0 || exitCode === EXIT_NOT_VALID) return resolve(JSON.parse(out) as LoadResult);
      const reason = errors.trim() === '' ? `sluice-load ended with ${exitCode}` : errors.trim();
      return reject(new BenchError(reason.replace(/^sluice-load: /, '')));
    });
  });
}
