#!/usr/bin/env node
// The native code under a sanitizer: its own tests, then the addon below the tests that start whole servers.
// Usage: node scripts/sanitize.mjs address|thread [--native-only] [test file ...]
// Default: everything in test/e2e and test/lifetime; the unit and contract tests load no addon.
// Ends with `N passed, N failed`; a report of the sanitizer is a failure, and is printed.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runMain, setUp } from './setup/all.mjs';
import { bringHeaders } from './setup/headers.mjs';
import { cmakeDefinitions } from './setup/native.mjs';
import { filesBelow, ROOT } from './setup/stamp.mjs';
import { Progress, SetupError } from './setup/step.mjs';
import { PROGRAMS } from './test/native.mjs';

// A test asks for more memory than there is, and must be told so as by any other allocator.
const TELLS_NO_MEMORY = 'allocator_may_return_null=1';

// Node never frees everything at its end, so leaks are looked for in the native tests only. It, and ONNX Runtime, are not
// built for the thread sanitizer.
const KINDS = {
  address: {
    flags: 'address,undefined',
    library: 'libasan.so',
    variables: ['ASAN_OPTIONS', 'UBSAN_OPTIONS'],
    native: 'detect_leaks=1',
    servers: `detect_leaks=0:${TELLS_NO_MEMORY}`,
  },
  thread: {
    flags: 'thread',
    library: 'libtsan.so',
    variables: ['TSAN_OPTIONS'],
    native: 'second_deadlock_stack=1',
    servers: `suppressions=${join(ROOT, 'scripts/test/tsan.supp')}:${TELLS_NO_MEMORY}`,
  },
};

const { values, positionals } = parseArgs({
  options: { 'native-only': { type: 'boolean' } },
  allowPositionals: true,
});
const [kind, ...files] = positionals;
if (!Object.hasOwn(KINDS, kind ?? '')) {
  process.stderr.write(`sanitize: expected ${Object.keys(KINDS).join(' or ')}, got ${kind ?? 'nothing'}\n`);
  process.exit(2);
}
const { flags, library, variables, native, servers } = KINDS[kind];
const out = join('build', kind);
const reports = join(ROOT, out, 'reports');
const packageRoot = join(ROOT, out, 'package');

function optionsFor(options) {
  const path = join(reports, 'report');
  return Object.fromEntries(
    variables.map((name) => [name, `${options}:log_path=${path}:exitcode=66:print_stacktrace=1`]),
  );
}

async function build() {
  const progress = new Progress();
  const target = values['native-only'] ? ['--target', 'sluice_test_programs'] : [];
  const definitions = cmakeDefinitions(await bringHeaders({ progress }));
  await progress.step(`build with -fsanitize=${flags}`, (run) =>
    run(
      join(ROOT, 'node_modules/.bin/cmake-js'),
      [
        ...['compile', '--out', out, '--config', 'Release', '--log-level', 'warn', ...definitions],
        ...[`--CDSLUICE_SANITIZE=${flags}`, '--parallel', String(availableParallelism()), ...target],
      ],
      { cwd: ROOT, failure: 'the build with a sanitizer failed' },
    ),
  );
}

/** A package like this one over the addon with the sanitizer: the command finds its addon beside itself. */
function assemblePackage() {
  rmSync(packageRoot, { recursive: true, force: true });
  mkdirSync(join(packageRoot, 'build'), { recursive: true });
  // Modules know themselves by their real path, so they are copied; what is only read is linked.
  cpSync(join(ROOT, 'dist'), join(packageRoot, 'dist'), { recursive: true });
  for (const name of ['package.json', 'node_modules', 'schemas', 'examples', 'build/models'])
    symlinkSync(join(ROOT, name), join(packageRoot, name));
  symlinkSync(join(ROOT, out, 'Release'), join(packageRoot, 'build/Release'));
}

/** Runs a program to its end; its last line with counts, or one failure. */
function counted(file, args, env) {
  const { status, stdout, signal } = spawnSync(file, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  const text = stdout ?? '';
  const found = [...text.matchAll(/(\d+) passed, (\d+) failed/g)].at(-1);
  const failed = Number(found?.[2] ?? 1);
  if (status !== 0) process.stdout.write(text);
  return { passed: Number(found?.[1] ?? 0), failed: failed > 0 || status === 0 ? failed : 1, signal };
}

/** Address randomisation confuses the thread sanitizer. */
function runNative(program) {
  return counted('setarch', ['-R', join(ROOT, out, 'Release', program)], optionsFor(native));
}

/** The sanitizer's runtime must be the first library of the process. */
function runServers(testFiles) {
  const preload = execFileSync('g++', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim();
  const env = {
    ...optionsFor(servers),
    LD_PRELOAD: preload,
    SLUICE_TEST_PACKAGE: packageRoot,
  };
  const test = [process.execPath, 'scripts/test.mjs', '--no-setup', ...testFiles];
  return counted('setarch', ['-R', ...test], env);
}

/** A failed allocation that was asked for is told in the same place. */
const TOLD_ONLY = /^==\d+==WARNING: (Address|Thread)Sanitizer failed to allocate 0x[0-9a-f]+ bytes$/;

function isReport(name) {
  const lines = readFileSync(join(reports, name), 'utf8').split('\n');
  return lines.some((line) => line !== '' && !TOLD_ONLY.test(line));
}

function printReports() {
  const found = readdirSync(reports).filter(isReport);
  for (const name of found) process.stdout.write(`${readFileSync(join(reports, name), 'utf8')}\n`);
  return found.length;
}

await runMain(async () => {
  await setUp();
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  await build();
  assemblePackage();
});
if (process.exitCode !== undefined && process.exitCode !== 0) throw new SetupError('the set-up failed');

const groups = ['test/e2e', 'test/lifetime'].flatMap((group) => filesBelow(join(ROOT, group)));
const chosen = files.length > 0 ? files : groups.map((path) => path.slice(ROOT.length + 1));
const parts = [
  ...PROGRAMS.map(runNative),
  ...(values['native-only'] ? [] : [runServers(chosen.filter((path) => path.endsWith('.test.ts')))]),
];
const reported = printReports();
const passed = parts.reduce((sum, part) => sum + part.passed, 0);
const failed = parts.reduce((sum, part) => sum + part.failed, 0) + reported;
process.stdout.write(`sanitize ${kind}: ${reported} reports\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
