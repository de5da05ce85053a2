/**
 * What a first run in a child process costs: the same model is published and loaded again and again, by a server without
 * `--verify-in-child` and by one with it. The time of a load, the peak of the child's memory, and the server's own.
 * Usage: node test/stress/first-run.mjs [--short]          20 loads each, about 30 s; short: 4, about 10 s
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersRight, publishLookup } from './lookup-model.mjs';
import { admin, isShort, percentile, processFacts, report, startServer, withdraw } from './rig.mjs';

const LOADS = isShort ? 4 : 20;
const NAME = 'lookup';
const ROWS = 200_000;

/** Highest resident memory that a child of the process has had so far; 0 where it has none. */
function childPeakMiB(pid) {
  let peak = 0;
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      if (!new RegExp(`^PPid:\\s+${pid}$`, 'm').test(status)) continue;
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // It ended meanwhile.
    }
  }
  return peak;
}

async function measure(flags) {
  const repository = mkdtempSync(join(tmpdir(), 'sluice-first-run-'));
  publishLookup(repository, NAME, 1, { rows: ROWS });
  const control = ['--model-control', 'explicit', '--load-model', '*', '--log-level', 'error'];
  const server = await startServer(repository, [...control, ...flags]);
  const loadMs = [];
  let peakMiB = 0;
  let isRight = true;
  const watch = setInterval(() => (peakMiB = Math.max(peakMiB, childPeakMiB(server.pid))), 5);
  for (let version = 2; version <= LOADS + 1; version += 1) {
    publishLookup(repository, NAME, version, { rows: ROWS });
    const beganAt = performance.now();
    const { status } = await admin(server, 'POST', `/v2/repository/models/${NAME}/load`);
    loadMs.push(performance.now() - beganAt);
    const answer = await answersRight(server, NAME, version);
    isRight &&= status === 200 && answer.isRight;
    withdraw(repository, NAME, version - 1);
  }
  clearInterval(watch);
  const { residentMiB } = processFacts(server.pid);
  await server.stop();
  rmSync(repository, { recursive: true });
  loadMs.sort((left, right) => left - right);
  return { loadMs, peakMiB, residentMiB, isRight };
}

const plain = await measure([]);
const child = await measure(['--verify-in-child']);
const text = ({ loadMs }) =>
  [0, 0.5, 1].map((share) => percentile(loadMs, Math.min(share, 0.999)).toFixed(0)).join(' / ');
report(
  `${LOADS} loads of a model of ${((ROWS * 32) / 1024 ** 2).toFixed(1)} MiB, without and with a first run in a child process`,
  [
    ['load without, least / median / most', `${text(plain)} ms`],
    ['load with, least / median / most', `${text(child)} ms`],
    ['peak memory of the child', `${child.peakMiB.toFixed(0)} MiB`],
    [
      'memory of the server without / with',
      `${plain.residentMiB.toFixed(0)} / ${child.residentMiB.toFixed(0)} MiB`,
    ],
  ],
  [
    ['every load served and answered right', plain.isRight && child.isRight],
    ['a child was seen with it and none without', child.peakMiB > 0 && plain.peakMiB === 0],
  ],
);
