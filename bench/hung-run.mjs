#!/usr/bin/env node
// A run that does not come back: its callers must be answered at their deadline, and the clients of another model must not
// feel it. Callers ask in bursts for a run that takes far longer than their deadline. Then a neighbour is loaded at a fixed rate,
// in turns beside a run that hangs and without one, in rounds of four turns that are mirrored; the last run hangs for good.
// Usage: node bench/hung-run.mjs [--bursts 10] [--callers 32] [--deadline-ms 200] [--rounds 12] [--seconds 2] [--rate 2000]
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { keepAwake } from './awake.mjs';
import { addSubRow, startFaultyServer } from './faulty-add-sub.mjs';
import { BENCH_BUILD, ROOT } from './paths.mjs';
import { openConnection, pause } from './row-connection.mjs';
import { median, mirroredRatios, ratioText } from './stats.mjs';

const { values } = parseArgs({
  options: {
    bursts: { type: 'string', default: '10' },
    callers: { type: 'string', default: '32' },
    'deadline-ms': { type: 'string', default: '200' },
    rounds: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '2' },
    rate: { type: 'string', default: '2000' },
  },
});
const deadlineMs = Number(values['deadline-ms']);
const LATE_MS = 1_500;
const FOR_GOOD_MS = 100_000;
/** What a turn takes besides its seconds, with room. */
const LONGER_MS = 2_500;
const MOST_OVERSHOOT_MS = 10;
const MOST_CHANGE = 1.1;

const { child: server, url } = await startFaultyServer();
const endAwake = keepAwake();

const byStatus = {};
const overshootsMs = [];

async function call(connection, made) {
  const beganMs = performance.now();
  const reply = await connection.ask(made);
  const tookMs = performance.now() - beganMs;
  const status = reply?.status ?? 'closed';
  byStatus[status] = (byStatus[status] ?? 0) + 1;
  if (status === 504) overshootsMs.push(Math.max(0, tookMs - deadlineMs));
}

async function burst(slowMs, callers = Number(values.callers)) {
  const connections = await Promise.all(Array.from({ length: callers }, () => openConnection(url)));
  await Promise.all(connections.map((connection) => call(connection, addSubRow({ slowMs, deadlineMs }))));
  for (const connection of connections) connection.close();
}

function percentile(numbers, percent) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)];
}

async function neighbourP99Us() {
  const body = join(BENCH_BUILD, 'hung-run.body');
  writeFileSync(body, Buffer.alloc(256));
  const { stdout } = await promisify(execFile)(
    join(ROOT, 'build/Release/sluice-load'),
    [
      ...[url.origin, '--body', body, '--path', '/v2/models/tiny/infer'],
      ...['--header', 'Inference-Header-Content-Length: 0', '--mode', 'poisson', '--rate', values.rate],
      ...['--connections', '16', '--warmup-s', '0.2', '--duration-s', values.seconds],
    ],
    { maxBuffer: 1 << 26 },
  ).catch((error) => (error.code === 2 ? error : Promise.reject(error)));
  const { latency, byStatus: statuses } = JSON.parse(stdout);
  return { us: latency.percentiles.find(({ percent }) => percent === 99).us, statuses };
}

for (let i = 0; i < Number(values.bursts); i += 1) {
  await burst(LATE_MS);
  await pause(LATE_MS);
}
const overshootMs = percentile(overshootsMs, 99);
console.log(
  `${Object.entries(byStatus)
    .map(([status, count]) => `${count} x ${status}`)
    .join(
      ', ',
    )}; after the deadline of ${deadlineMs} ms: p50 ${percentile(overshootsMs, 50).toFixed(2)} ms, ` +
    `p99 ${overshootMs.toFixed(2)} ms, most ${Math.max(...overshootsMs).toFixed(2)} ms`,
);

async function isReady() {
  return (await fetch(`${url.origin}/v2/models/add_sub/ready`)).status === 200;
}

/** Beside a run that hangs for longer than the turn takes; afterwards it is waited for. */
async function turn(isHung) {
  if (isHung) await burst(Number(values.seconds) * 1000 + LONGER_MS, 1);
  const { us, statuses } = await neighbourP99Us();
  if (isHung && (await isReady())) throw new Error('expected the run to hang for the whole turn');
  while (!(await isReady())) await pause(50);
  for (const [status, count] of Object.entries(statuses))
    neighbourStatuses[status] = (neighbourStatuses[status] ?? 0) + count;
  return us;
}

const turns = [];
const neighbourStatuses = {};
for (let round = 0; round < Number(values.rounds); round += 1) {
  const order = round % 2 === 0 ? [false, true, true, false] : [true, false, false, true];
  for (const isHung of order) turns.push({ isHung, us: await turn(isHung) });
  const texts = turns.slice(-order.length).map(({ isHung, us }) => `${isHung ? 'hung ' : ''}${us} us`);
  console.log(`round ${round + 1}: ${texts.join(', ')}`);
}

const { changes, alike } = mirroredRatios(
  turns,
  ({ isHung }) => isHung,
  ({ us }) => us,
);
const change = median(changes);
console.log(
  `p99 of a neighbour at ${values.rate}/s, beside a hung run over without: x ${ratioText(changes, 2)}`,
);
console.log(`two turns that are alike: x ${ratioText(alike, 2)}`);
console.log(`answers of the neighbour: ${JSON.stringify(neighbourStatuses)}`);
await burst(FOR_GOOD_MS);
await pause(LATE_MS);
const ready = await fetch(`${url.origin}/v2/models/add_sub/ready`);
console.log(`the hung model's readiness: ${ready.status}`);
endAwake();
server.kill('SIGKILL');
process.exitCode = overshootMs < MOST_OVERSHOOT_MS && change < MOST_CHANGE && ready.status === 503 ? 0 : 1;
