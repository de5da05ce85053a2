#!/usr/bin/env node
/**
 * Micro benchmarks of the native core: builds them and runs them. `--callgrind PART` counts the instructions of the cases whose
 * name holds PART instead, which other programs on the machine do not disturb. `--out FILE` keeps the times as JSON.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProduct } from './build.mjs';
import { ROOT } from './paths.mjs';

const PROGRAM = join(ROOT, 'build', 'Release', 'sluice-micro');
const CALLGRIND_TIMES = 1000;

const { values, positionals } = parseArgs({
  options: { callgrind: { type: 'string' }, out: { type: 'string' } },
  allowPositionals: true,
});

/** Instructions of `times` runs; the difference of two counts leaves the start of the program out. */
function instructions(part, times) {
  const args = [
    '--tool=callgrind',
    '--callgrind-out-file=/dev/null',
    PROGRAM,
    '--times',
    String(times),
    part,
  ];
  const { stderr, error } = spawnSync('valgrind', args, { encoding: 'utf8' });
  const count = /Collected : (\d+)/.exec(stderr ?? '')?.[1];
  if (count === undefined) throw new Error(`callgrind: ${error?.message ?? stderr}`);
  return Number(count);
}

buildProduct();
execFileSync('cmake', ['--build', join(ROOT, 'build'), '--target', 'sluice-micro'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (values.callgrind !== undefined) {
  const each =
    (instructions(values.callgrind, 2 * CALLGRIND_TIMES) - instructions(values.callgrind, CALLGRIND_TIMES)) /
    CALLGRIND_TIMES;
  console.log(`${values.callgrind}: ${Math.round(each).toLocaleString('en-US')} instructions each`);
} else {
  const part = positionals[0] ?? '';
  if (values.out === undefined) execFileSync(PROGRAM, [part], { stdio: 'inherit' });
  else writeFileSync(values.out, execFileSync(PROGRAM, ['--json', part]));
}
