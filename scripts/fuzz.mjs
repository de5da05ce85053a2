#!/usr/bin/env node
// Fuzzes the decoders under the address and undefined-behaviour sanitizers, and tells executions, coverage and findings.
// Usage: node scripts/fuzz.mjs [frame] [v2-json] [v2-binary] [--seconds 60] [--runs N] [--seed 1]     (default: all three)
// With clang++ it is libFuzzer, else a mutational loop of our own without feedback (--loop chooses that one). The corpus is
// kept in build/fuzz/. A few seconds of the same are a native test. Ends with 1 where there is a finding.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup/stamp.mjs';

const TARGETS = ['frame', 'v2-json', 'v2-binary'];
const DECODERS = [
  'frame_decoder',
  'tensor_check',
  'pad_request',
  'v2_decoder',
  'v2_head',
  'v2_head_inputs',
  'json_tensor',
];
// All of the codec but what encodes, so that a decoder may be taken apart without a word here.
const SOURCES = [
  ...readdirSync(join(ROOT, 'native/codec'))
    .filter((name) => name.endsWith('.cc') && !name.endsWith('_encoder.cc'))
    .map((name) => `native/codec/${name}`),
  'native/memory/aligned_buffer.cc',
  ...['frame_target', 'v2_target', 'entry'].map((name) => `test/fuzz/${name}.cc`),
];
const LOOP = join(ROOT, 'test/fuzz/loop.cc');
const SANITIZERS = 'address,undefined';
/** Of the loop without feedback, whose corpus alone would tell little. */
const MOST_REPLAYED_RUNS = 100_000;

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    loop: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const names = positionals.length === 0 ? TARGETS : positionals;
for (const name of names) if (!TARGETS.includes(name)) expected(TARGETS.join(', '), name);
for (const option of ['seconds', 'runs', 'seed']) {
  if (values[option] !== undefined && !/^[1-9]\d*$/.test(values[option]))
    expected(`a whole number from 1 for --${option}`, values[option]);
}
const { paths } = JSON.parse(readFileSync(join(ROOT, '.cache/native/paths.json'), 'utf8'));
const isLibFuzzer = !values.loop && spawnSync('clang++', ['--version']).status === 0;
const limits = [
  ...(values.runs === undefined ? [] : [`-runs=${values.runs}`]),
  ...(values.runs !== undefined && values.seconds === undefined
    ? []
    : [`-max_total_time=${values.seconds ?? 60}`]),
  `-seed=${values.seed}`,
];
const folder = join(ROOT, 'build/fuzz');
const fuzzer = join(folder, 'fuzzer');
const replay = join(folder, 'replay');
build();
if (names.map(fuzz).every(Boolean)) tellCoverage();
else process.exitCode = 1;

function expected(what, got) {
  process.stderr.write(`fuzz: expected ${what}, got ${got}\n`);
  process.exit(2);
}

function build() {
  mkdirSync(folder, { recursive: true });
  const generated = join(folder, 'generated/codec');
  run(paths.flatc, ['--cpp', '--scoped-enums', '-o', generated, join(ROOT, 'schemas/inference.fbs')]);
  const sanitize = ['-O1', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  if (isLibFuzzer) compile('clang++', fuzzer, [...sanitize, `-fsanitize=fuzzer,${SANITIZERS}`]);
  else compile('g++', fuzzer, [...sanitize, `-fsanitize=${SANITIZERS}`, LOOP]);
  // The coverage is taken by another build without sanitizers, so that the number means the same whoever fuzzed.
  for (const file of readdirSync(folder)) if (/\.gc(no|da)$/.test(file)) rmSync(join(folder, file));
  compile('g++', replay, ['-O0', '--coverage', LOOP]);
}

/** True where nothing was found. */
function fuzz(name) {
  const env = { SLUICE_FUZZ_TARGET: name };
  const cwd = join(folder, name);
  const corpus = join(cwd, 'corpus');
  mkdirSync(corpus, { recursive: true });
  run(replay, ['-plant', corpus], { env });
  const beganMs = performance.now();
  const { status, stdout, stderr } = spawnSync(
    fuzzer,
    [...limits, ...(isLibFuzzer ? ['-print_final_stats=1', '-max_len=4096'] : []), corpus],
    { cwd, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  const output = `${stdout}${stderr}`;
  const executions = Number(/number_of_executed_units:\s*(\d+)/.exec(output)?.[1] ?? NaN);
  if (status !== 0) process.stdout.write(`${output.split('\n').slice(-60).join('\n')}\n`);
  process.stdout.write(
    `fuzz: ${name}, ${isLibFuzzer ? 'libFuzzer' : 'own loop'}, seed ${values.seed}: ${executions} executions in ${seconds} s, ` +
      `${readdirSync(corpus).length} inputs kept, ${status === 0 ? '0 findings' : `A FINDING, its input is in build/fuzz/${name}`}\n`,
  );
  if (status !== 0) return false;
  const mutants = isLibFuzzer
    ? []
    : [`-runs=${Math.min(executions || 1, MOST_REPLAYED_RUNS)}`, limits.at(-1)];
  run(replay, [...mutants, corpus], { env });
  return true;
}

/** Of all the targets that ran, together. */
function tellCoverage() {
  for (const name of names.includes('frame') && names.length === 1 ? DECODERS.slice(0, 3) : DECODERS) {
    const report = run('gcov', ['-n', '-o', folder, join(folder, `replay-${name}.gcda`)]);
    const lines = new RegExp(`File '[^']*/${name}\\.cc'\\nLines executed:([\\d.]+)% of (\\d+)`).exec(report);
    const told = lines ? `${lines[1]} % of ${lines[2]} lines` : 'no number from gcov';
    process.stdout.write(`fuzz: coverage of ${name}.cc: ${told}\n`);
  }
}

function compile(compiler, program, flags) {
  const system = [join(folder, 'generated'), paths.flatbuffersInclude, paths.simdjsonInclude].filter(Boolean);
  const library = paths.simdjsonLibrary || '-lsimdjson';
  run(compiler, [
    ...['-std=c++20', '-g', '-I', join(ROOT, 'native'), ...system.flatMap((path) => ['-isystem', path])],
    ...[...flags, ...SOURCES.map((path) => join(ROOT, path)), library],
    ...(library.startsWith('/') ? [`-Wl,-rpath,${dirname(library)}`] : []),
    ...['-o', program],
  ]);
}

function run(command, args, { env = {} } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status === 0) return stdout;
  throw new Error(`${command}: ${error?.message ?? `${stderr}${stdout}`.slice(-4000)}`);
}
