#!/usr/bin/env node
// Clients that leave: so many connections a second break off, in turn at six moments of a request, while other clients go
// on asking and check every answer. Afterwards nothing may be left inside the server.
// Usage: node bench/disconnect-storm.mjs [--per-second 1000] [--seconds 30] [--good 16] [--seed 1]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ROOT } from './paths.mjs';
import { MOMENTS, openConnection, pause } from './row-connection.mjs';
import { seededRandom } from './row-truth.mjs';

const { values } = parseArgs({
  options: {
    'per-second': { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    good: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
  },
});
const perSecond = Number(values['per-second']);
const seconds = Number(values.seconds);
const chance = seededRandom(Number(values.seed));
const WIDTH = 16;
const SLOW_MARK = -1004;
const SETTLE_MS = 5_000;

const server = spawn(
  process.execPath,
  [join(ROOT, 'bench/faulty-server.mjs'), join(ROOT, 'build/models'), '--inlineBudgetUs', '0'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const [line] = await once(createInterface({ input: server.stdout }), 'line');
const addresses = JSON.parse(line);
const url = new URL(addresses.url);

/** One row for add_sub whose sum is known; `slowMs` makes its run that much longer, so that leaving finds it queued or running. */
function request(seed, slowMs) {
  const a = Float32Array.from({ length: WIDTH }, (_, i) => seed + i);
  if (slowMs > 0) a.set([SLOW_MARK, slowMs]);
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({
    ...{ name, shape: [1, WIDTH], datatype: 'FP32' },
    parameters: { binary_data_size: 4 * WIDTH },
  }));
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const body = Buffer.concat([json, Buffer.from(a.buffer), Buffer.from(a.buffer)]);
  const head = `POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: storm\r\nInference-Header-Content-Length: ${json.length}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { a, head: Buffer.from(head), body };
}

function isRight({ a }, reply) {
  if (reply?.status !== 200) return false;
  const sums = reply.body.subarray(reply.headLength, reply.headLength + 4 * WIDTH);
  return sums.equals(Buffer.from(a.map((x) => x + x).buffer));
}

async function facts() {
  const { models } = await (await fetch(`${addresses.admin}/models`)).json();
  const { stats } = models.find(({ name }) => name === 'add_sub').versions[0];
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const rssMib = Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
  return { inFlight: stats.inFlight, cancelled: stats.outcomes.cancelled, rssMib: Math.round(rssMib) };
}

const ledger = { good: 0, wrong: 0, lost: 0, left: 0, refused: 0 };
let isOver = false;

async function goodClient(number) {
  const connection = await openConnection(url);
  for (let i = 0; !isOver; i += 1) {
    const made = request(number * 1000 + (i % 500), 0);
    const reply = await connection.ask(made);
    if (reply === undefined) return void (ledger.lost += 1);
    ledger[isRight(made, reply) ? 'good' : 'wrong'] += 1;
  }
  connection.close();
}

async function leavingClient(moment) {
  const connection = await openConnection(url).catch(() => undefined);
  if (connection === undefined) return void (ledger.refused += 1);
  await connection.abandon(request(7, chance.below(4) === 0 ? 1 + chance.below(3) : 0), chance, moment);
  ledger.left += 1;
}

const before = await facts();
const good = Array.from({ length: Number(values.good) }, (_, i) => goodClient(i + 1));
const leaving = [];
const beganMs = performance.now();
for (let i = 0; i < perSecond * seconds; i += 1) {
  const dueMs = (i * 1000) / perSecond;
  const aheadMs = dueMs - (performance.now() - beganMs);
  if (aheadMs > 1) await pause(aheadMs);
  leaving.push(leavingClient(i % MOMENTS));
}
await Promise.all(leaving);
const tookS = (performance.now() - beganMs) / 1000;
isOver = true;
await Promise.all(good);

let after = await facts();
for (const untilMs = performance.now() + SETTLE_MS; after.inFlight > 0 && performance.now() < untilMs;) {
  await pause(50);
  after = await facts();
}
const last = await openConnection(url);
const known = request(42, 0);
const isAlive = isRight(known, await last.ask(known));
last.close();

console.log(
  `${ledger.left} clients left in ${tookS.toFixed(1)} s (${(ledger.left / tookS).toFixed(0)}/s, ${MOMENTS} moments), ` +
    `${ledger.refused} could not connect; ${ledger.good} answers to others right, ${ledger.wrong} wrong, ${ledger.lost} lost`,
);
console.log(
  `inside before ${before.inFlight}, after ${after.inFlight}; cancelled ${after.cancelled}; RSS ${before.rssMib} -> ${after.rssMib} MiB; ` +
    `a known answer afterwards: ${isAlive ? 'right' : 'WRONG'}`,
);
const ended = once(server, 'exit');
server.kill('SIGTERM');
const [exitCode] = await ended;
console.log(`the server ended with exit code ${exitCode}`);
const isGood =
  ledger.wrong + ledger.lost + ledger.refused === 0 && after.inFlight === 0 && isAlive && exitCode === 0;
process.exitCode = isGood ? 0 : 1;
