#!/usr/bin/env node
// Clients that leave: so many connections a second break off, in turn at six moments of a request, while other clients go
// on asking and check every answer. Afterwards nothing may be left inside the server.
// Usage: node bench/disconnect-storm.mjs [--per-second 1000] [--seconds 30] [--good 16] [--seed 1]
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { addSubRow, isRightSum, startFaultyServer } from './faulty-add-sub.mjs';
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
const SETTLE_MS = 5_000;

const { child: server, url, admin } = await startFaultyServer();

async function facts() {
  const { models } = await (await fetch(`${admin}/models`)).json();
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
    const made = addSubRow({ seed: number * 1000 + (i % 500) });
    const reply = await connection.ask(made);
    if (reply === undefined) return void (ledger.lost += 1);
    ledger[isRightSum(made, reply) ? 'good' : 'wrong'] += 1;
  }
  connection.close();
}

async function leavingClient(moment) {
  const connection = await openConnection(url).catch(() => undefined);
  if (connection === undefined) return void (ledger.refused += 1);
  // A slow run is left while it waits or runs.
  const slowMs = chance.below(4) === 0 ? 1 + chance.below(3) : 0;
  await connection.abandon(addSubRow({ seed: 7, slowMs }), chance, moment);
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
const known = addSubRow({ seed: 42 });
const isAlive = isRightSum(known, await last.ask(known));
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
