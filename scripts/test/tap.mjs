// Runs tap on test files: one line per file as it ends, failures in full, the counts of its summary.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../setup/stamp.mjs';

/** Resolves to { passed, failed, skipped }. */
export function runTap(files) {
  return new Promise((resolve) => {
    const args = [join(ROOT, 'node_modules/tap/dist/esm/run.mjs'), '--reporter=tap', ...files];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    const reader = new TapReader((text) => process.stdout.write(text));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => reader.take(line));
    child.on('error', (error) => {
      process.stdout.write(`tap: ${error.message}\n`);
      resolve({ passed: 0, failed: 1, skipped: 0 });
    });
    const ended = new Promise((done) => lines.once('close', done));
    child.on('close', async (exitCode) => {
      await ended;
      resolve(reader.counts(exitCode));
    });
  });
}

/** Reads TAP as tap writes it: the results of a file are indented below its own line, which ends them. */
export class TapReader {
  constructor(print) {
    this.print = print;
    this.block = [];
    this.summary = undefined;
  }

  take(line) {
    const result = /^(ok|not ok) \d+ - (.*?)(?: # time=([\d.]+)ms)?$/.exec(line);
    const summary = /^# (\{ .* \})$/.exec(line);
    if (summary) this.summary = summary[1];
    if (!result) return void this.block.push(line);
    const [, verdict, name, ms = '0'] = result;
    this.print(`tap: ${name} ${verdict === 'ok' ? 'ok' : 'FAILED'}, ${(Number(ms) / 1000).toFixed(1)} s\n`);
    if (verdict !== 'ok')
      this.print(
        failuresIn(this.block)
          .map((text) => `  ${text}\n`)
          .join(''),
      );
    this.block = [];
  }

  /** The counts of the summary line; a run that failed without a failed assertion, or without a summary, counts as one. */
  counts(exitCode) {
    const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(this.summary ?? '')?.[1] ?? 0);
    const failed = count('fail');
    const skipped = count('skip') + count('todo');
    const isBroken = this.summary === undefined || (exitCode !== 0 && failed === 0);
    if (isBroken)
      this.print(
        `tap: ended with exit code ${exitCode}\n${this.block.map((line) => `  ${line}\n`).join('')}`,
      );
    return { passed: count('pass'), failed: failed + (isBroken ? 1 : 0), skipped };
  }
}

// What is left of a file's results without those that passed: the failed ones, their diagnostics, and what was printed.
function failuresIn(lines) {
  let isPassed = false;
  return lines.filter((line) => {
    if (/^\s*(ok \d+|# Subtest|1\.\.\d+|# time=|TAP version)/.test(line)) {
      isPassed = /^\s*ok \d+/.test(line);
      return /^\s*# Subtest/.test(line);
    }
    if (/^\s*not ok \d+/.test(line)) isPassed = false;
    const isDiagnostic = /^\s*(---|\.\.\.)$/.test(line) || /^\s{6,}/.test(line);
    return line.trim() !== '' && !(isPassed && isDiagnostic);
  });
}
