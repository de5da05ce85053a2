// Runs the native tests: executables without Node in them. Their lines are passed on; the last one has the counts.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup/stamp.mjs';

export const PROGRAMS = ['sluice_native_tests', 'sluice_thread_tests', 'sluice_memory_tests'];
const FOLDERS = ['build/Release', 'build'];

/** { passed, failed, skipped } over all programs; a missing executable and a crash count as one failure. */
export function runNative() {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed } of PROGRAMS.map(runProgram)) {
    sum.passed += passed;
    sum.failed += failed;
  }
  return sum;
}

function runProgram(name) {
  const program = FOLDERS.map((folder) => join(ROOT, folder, name)).find((file) => existsSync(file));
  if (!program) {
    process.stdout.write(`native: FAILED, expected ${name} in ${FOLDERS.join(' or ')}\n`);
    return { passed: 0, failed: 1 };
  }
  const { status, signal, stdout, error } = spawnSync(program, [], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
  });
  const lines = (stdout ?? '').trimEnd().split('\n');
  const counts = /^native: (\d+) passed, (\d+) failed/.exec(lines.at(-1));
  for (const line of lines) if (!line.startsWith('ok')) process.stdout.write(`${line}\n`);
  const passed = Number(counts?.[1] ?? 0);
  const failed = Number(counts?.[2] ?? 0);
  const isBroken = counts === null || (status !== 0 && failed === 0);
  if (isBroken)
    process.stdout.write(`native: ${name} ended with ${error?.message ?? signal ?? `exit code ${status}`}\n`);
  return { passed, failed: failed + (isBroken ? 1 : 0) };
}
