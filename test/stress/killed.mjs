/**
 * The server is killed (SIGKILL) while idle, loading, swapping, and writing a private copy; the next one starts on the same
 * folders. Nothing half-written is believed or left behind, and the answers are right.
 * Usage: node test/stress/killed.mjs [--short]             20 times each, about 2 minutes; short: once each, about 15 s
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersRight, publishLookup } from './lookup-model.mjs';
import { admin, isShort, report, startServer, withdraw } from './rig.mjs';

const TIMES = isShort ? 1 : 20;
const NAME = 'lookup';
const BIG = { rows: 1_000_000 };
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const repository = mkdtempSync(join(tmpdir(), 'sluice-killed-'));
const privates = mkdtempSync(join(tmpdir(), 'sluice-killed-private-'));
const flags = [
  '--model-control',
  'explicit',
  '--load-model',
  '*',
  '--log-level',
  'fatal',
  '--private-directory',
  privates,
];

/** Files below the private folder of a process. */
function copies() {
  return readdirSync(privates, { recursive: true }).filter((name) => name.endsWith('weights.bin'));
}

async function untilCopying(limitMs) {
  const endsAt = performance.now() + limitMs;
  while (copies().length === 0 && performance.now() < endsAt) await wait(1);
  return copies().length > 0;
}

let version = 1;
const MOMENTS = {
  idle: async () => undefined,
  loading: async (server, time) => {
    publishLookup(repository, NAME, (version += 1), BIG);
    admin(server, 'POST', `/v2/repository/models/${NAME}/load`).catch(() => undefined);
    await wait((time * 300) / TIMES);
  },
  swapping: async (server, time) => {
    let isOver = false;
    const swapping = (async () => {
      while (!isOver) {
        publishLookup(repository, NAME, (version += 1), { rows: 10_000 });
        await admin(server, 'POST', `/v2/repository/models/${NAME}/load`).catch(() => undefined);
        withdraw(repository, NAME, version - 2);
      }
    })();
    await wait(100 + (time * 200) / TIMES);
    isOver = true;
    swapping.catch(() => undefined);
  },
  'writing a private copy': async (server) => {
    publishLookup(repository, NAME, (version += 1), BIG);
    admin(server, 'POST', `/v2/repository/models/${NAME}/load`).catch(() => undefined);
    if (!(await untilCopying(5000))) missed += 1;
  },
};

let missed = 0;
publishLookup(repository, NAME, version, BIG);
const rows = [];
const problems = [];
for (const [moment, until] of Object.entries(MOMENTS)) {
  const startMs = [];
  for (let time = 0; time < TIMES; time += 1) {
    const server = await startServer(repository, flags);
    await until(server, time);
    server.child.kill('SIGKILL');
    await server.exited;
    const next = await startServer(repository, flags);
    startMs.push(next.startMs);
    const left = readdirSync(privates).filter((name) => !name.startsWith(`${next.pid}-`));
    if (left.length > 0) problems.push(`${moment}: ${left.join(', ')} was left behind`);
    if (copies().length > 0) problems.push(`${moment}: a copy is still there after the load`);
    const answer = await answersRight(next, NAME);
    if (!answer.isRight) problems.push(`${moment}: ${JSON.stringify(answer)}`);
    await next.stop();
    for (let old = 1; old < version - 1; old += 1) withdraw(repository, NAME, old);
  }
  startMs.sort((left, right) => left - right);
  rows.push([`killed ${moment}`, `next start ${startMs[0].toFixed(0)} to ${startMs.at(-1).toFixed(0)} ms`]);
}
rmSync(repository, { recursive: true });
rmSync(privates, { recursive: true });
report(
  `killed ${TIMES} times at each of ${rows.length} moments`,
  [...rows, ['first problems', JSON.stringify(problems.slice(0, 3))]],
  [
    ['every next start was clean and answered right', problems.length === 0],
    ['every copy was caught being written', missed === 0],
  ],
);
