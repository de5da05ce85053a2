/**
 * Version after version replaces the one before while 64 connections ask at about 70 % of what the server can do; each fifth
 * version fails its golden gate. Every answer names its version and is checked: X + version, and the version served at some
 * time between the request and the answer. Under the same load, times of swapping take turns with quiet ones and with times
 * in which everything happens but the loads: versions are written and removed in another folder, and the server is asked as
 * often. So what the neighbour model's p99 owes to the server is told from what it owes to a machine that has more to do.
 * Usage: node test/stress/version-swaps.mjs [--short]      1,000 swaps, about 7 minutes; short: 40, about 20 s
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepAwake } from '../../bench/awake.mjs';
import { startLoad, versionedModel } from './load.mjs';
import { admin, isShort, percentile, processFacts, publish, report, startServer, withdraw } from './rig.mjs';

const SWAPS = isShort ? 40 : 1000;
const PACE_MS = isShort ? 100 : 200;
/** Steps of one kind before those of the next. */
const TURN = { quiet: 10, published: 10, swapping: 20 };
const CONNECTIONS = 64;

const repository = mkdtempSync(join(tmpdir(), 'sluice-swaps-'));
const elsewhere = mkdtempSync(join(tmpdir(), 'sluice-swaps-elsewhere-'));
publish(repository, 'swapped', 1);
publish(repository, 'neighbour', 1);
const server = await startServer(repository, [
  '--model-control',
  'explicit',
  '--load-model',
  '*',
  '--log-level',
  'error',
]);
const endAwake = keepAwake();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const rates = { port: server.port, models: [versionedModel('swapped')], connections: CONNECTIONS };
const side = { port: server.port, models: [versionedModel('neighbour')], connections: 4, perSecond: 100 };

const full = await startLoad({ ...rates, seconds: 3 }).result;
const perSecond = Math.round((0.7 * full.latenciesMs.length) / full.tookSeconds);
const load = startLoad({ ...rates, perSecond, seconds: 3600, keepsAnswers: true });
const neighbour = startLoad({ ...side, seconds: 3600, keepsAnswers: true });
await Promise.all([load.began, neighbour.began]);
const served = new Map([[1, { fromMs: 0, toMs: Infinity }]]);
const problems = [];
let lastEvent = 0;
async function readEvents() {
  const { events } = (await admin(server, 'GET', `/events?after=${lastEvent}`)).body;
  for (const event of events) {
    lastEvent = event.sequence;
    if (event.modelName !== 'swapped') continue;
    const version = Number(event.version);
    if (event.to === 'READY') served.set(version, { fromMs: event.timeMs, toMs: Infinity });
    if (event.to === 'DRAINING' && served.has(version)) served.get(version).toMs = event.timeMs;
  }
}
await readEvents();
const swapMs = [];
const before = processFacts(server.pid);
let serving = 1;
let swaps = 0;
const STEPS = {
  quiet: async () => undefined,
  published: async () => {
    publish(elsewhere, 'swapped', 1, { goldenAdds: 1 });
    await admin(server, 'GET', '/events?after=1000000000');
    withdraw(elsewhere, 'swapped', 1);
    await readEvents();
  },
  swapping: async () => {
    swaps += 1;
    const version = swaps + 1;
    const fails = swaps % 5 === 0;
    const beganAt = performance.now();
    publish(repository, 'swapped', version, { goldenAdds: fails ? version + 1 : version });
    const { status, body } = await admin(server, 'POST', '/v2/repository/models/swapped/load');
    swapMs.push(performance.now() - beganAt);
    if (fails ? status !== 400 || !/golden answers/.test(body.error) : status !== 200)
      problems.push(`version ${version}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
    withdraw(repository, 'swapped', fails ? version : serving);
    if (!fails) serving = version;
    await readEvents();
  },
};
/** What happened when, for the neighbour's answers. */
const turns = [];
while (swaps < SWAPS) {
  for (const [kind, step] of Object.entries(STEPS)) {
    const fromMs = Date.now();
    for (let time = 0; time < TURN[kind]; time += 1) {
      const beganAt = performance.now();
      await step();
      await wait(Math.max(0, PACE_MS - (performance.now() - beganAt)));
    }
    turns.push({ kind, fromMs, toMs: Date.now() });
  }
}
await wait(500);
load.stop();
neighbour.stop();
await readEvents();
const [seen, beside] = await Promise.all([load.result, neighbour.result]);
const after = processFacts(server.pid);
endAwake();
await server.stop();
for (const folder of [repository, elsewhere]) rmSync(folder, { recursive: true });

let outOfTime = 0;
const versions = new Set();
for (let i = 0; i < seen.answers.length; i += 3) {
  const [sentMs, gotMs, version] = seen.answers.slice(i, i + 3);
  const time = served.get(version);
  versions.add(version);
  // Clocks count whole milliseconds on both sides.
  if (time === undefined || gotMs < time.fromMs - 1 || sentMs > time.toMs + 1) outOfTime += 1;
}
const latencies = { quiet: [], published: [], swapping: [] };
for (let i = 0; i < beside.latenciesMs.length; i += 1) {
  const sentMs = beside.answers[3 * i];
  const turn = turns.find(({ fromMs, toMs }) => sentMs >= fromMs && sentMs < toMs);
  if (turn !== undefined) latencies[turn.kind].push(beside.latenciesMs[i]);
}
const p99 = (kind) =>
  percentile(
    latencies[kind].sort((left, right) => left - right),
    0.99,
  );
const [quietP99, publishedP99, swapP99] = [p99('quiet'), p99('published'), p99('swapping')];
const slow = swapMs.sort((left, right) => left - right);
report(
  `${SWAPS} swaps, ${CONNECTIONS} connections at ${perSecond} requests/s`,
  [
    ['requests', seen.latenciesMs.length],
    ['versions that became ready / that answered', `${served.size} / ${versions.size}`],
    ['swap, median / p99', `${percentile(slow, 0.5).toFixed(1)} / ${percentile(slow, 0.99).toFixed(1)} ms`],
    [
      'neighbour p99, quiet / published elsewhere / swapping',
      `${[quietP99, publishedP99, swapP99].map((ms) => ms.toFixed(2)).join(' / ')} ms`,
    ],
    [
      'its requests',
      Object.values(latencies)
        .map(({ length }) => length)
        .join(' / '),
    ],
    ['memory before / after', `${before.residentMiB.toFixed(0)} / ${after.residentMiB.toFixed(0)} MiB`],
    [
      'threads, files before / after',
      `${before.threads}, ${before.files} / ${after.threads}, ${after.files}`,
    ],
    ['first failures', JSON.stringify([...seen.failures, ...beside.failures].slice(0, 3))],
    ['first problems', JSON.stringify(problems.slice(0, 3))],
  ],
  [
    ['every version that became ready answered', versions.size === served.size],
    ['no request failed', seen.failed + beside.failed === 0],
    ['every request was answered', seen.unanswered + beside.unanswered === 0],
    ['no answer was wrong', seen.wrong + beside.wrong === 0],
    ['no answer came from a version that did not serve then', outOfTime === 0],
    ['every load ended as it should', problems.length === 0],
    ["the neighbour's p99 is within 20 % of that without the loads", swapP99 <= publishedP99 * 1.2],
  ],
);
