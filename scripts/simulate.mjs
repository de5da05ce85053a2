// Runs the scheduler in simulated time under many seeded schedules:
//   node scripts/simulate.mjs --schedules 1000000 --seed 1 [--seconds 300]     a seed that fails replays with --seed N
//   node scripts/simulate.mjs --plant all                                      proves that it finds planted bugs
// A planted bug is one line changed in a copy of native/schedule (test/native/simulation/planted-bugs.mjs).
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from '../test/native/simulation/planted-bugs.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILD = join(ROOT, 'build', 'simulation');
const PLANTED_LIMIT_MS = 60_000;
const FOLDERS = ['schedule', 'base', 'memory'];

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '600' },
    plant: { type: 'string' },
  },
});

/** Copies the sources to `name`, changes one line where a bug is given, and builds the program. */
function build(name, bug) {
  const folder = join(BUILD, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const each of FOLDERS) cpSync(join(ROOT, 'native', each), join(folder, each), { recursive: true });
  if (bug !== undefined) {
    const path = join(folder, 'schedule', bug.file);
    const text = readFileSync(path, 'utf8');
    if (text.split(bug.find).length !== 2) {
      throw new Error(`planted bug "${name}": expected its line once in ${bug.file}: ${bug.find}`);
    }
    writeFileSync(path, text.replace(bug.find, bug.replace));
  }
  const simulation = join(ROOT, 'test', 'native', 'simulation');
  const sources = [...['schedule', 'memory'].map((each) => join(folder, each)), simulation].flatMap((from) =>
    readdirSync(from)
      .filter((file) => file.endsWith('.cc'))
      .map((file) => join(from, file)),
  );
  const program = join(folder, 'simulate');
  const options = ['-std=c++20', '-O2', `-I${folder}`, `-I${join(ROOT, 'test', 'native')}`, '-pthread'];
  const built = spawnSync(process.env.CXX ?? 'g++', [...options, ...sources, '-o', program], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`the simulation cannot be built:\n${built.stderr ?? built.error}`);
  return program;
}

function simulate(program, timeout) {
  return spawnSync(program, [values.schedules, values.seed, values.seconds], { encoding: 'utf8', timeout });
}

if (values.plant === undefined) {
  const { status, stdout, stderr } = simulate(build('as-it-is'));
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = status ?? 1;
} else {
  const names = values.plant === 'all' ? Object.keys(PLANTED_BUGS) : [values.plant];
  for (const name of names) {
    const bug = PLANTED_BUGS[name];
    if (bug === undefined) {
      throw new Error(`expected one of all, ${Object.keys(PLANTED_BUGS).join(', ')}, got ${name}`);
    }
    const { status, stdout } = simulate(build(name, bug), PLANTED_LIMIT_MS);
    // A world that never ends, or dies, is found as well.
    const isFound = status !== 0;
    const what = stdout === '' ? 'the simulation hangs or dies\n' : stdout;
    process.stdout.write(`${name}: ${isFound ? 'found' : 'NOT FOUND'}: ${what}`);
    if (!isFound) process.exitCode = 1;
  }
}
