/**
 * Version after version replaces the one before while 64 connections ask at about 70 % of what the server can do; each fifth
 * version fails its golden gate. Every answer names its version and is checked: X + version, and the version served at some
 * time between the request and the answer. A neighbour model's p99 is compared with a quiet time under the same load.
 * Usage: node test/stress/version-swaps.mjs [--short]      1,000 swaps, about 5 minutes; short: 40, about 25 s
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLoad, versionedModel } from './load.mjs';
import { admin, isShort, percentile, processFacts, publish, report, startServer, withdraw } from './rig.mjs';

const SWAPS = isShort ? 40 : 1000;
const PACE_MS = isShort ? 100 : 200;
const QUIET_SECONDS = isShort ? 5 : 20;
const CONNECTIONS = 64;

const repository = mkdtempSync(join(tmpdir(), 'sluice-swaps-'));
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
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const rates = { port: server.port, models: [versionedModel('swapped')], connections: CONNECTIONS };
const side = { port: server.port, models: [versionedModel('neighbour')], connections: 4, perSecond: 100 };

const full = await startLoad({ ...rates, seconds: 3 }).result;
const perSecond = Math.round((0.7 * full.latenciesMs.length) / full.tookSeconds);
const quietLoad = startLoad({ ...rates, perSecond, seconds: QUIET_SECONDS });
const quiet = await startLoad({ ...side, seconds: QUIET_SECONDS }).result;
await quietLoad.result;

const load = startLoad({ ...rates, perSecond, seconds: 3600, keepsAnswers: true });
const neighbour = startLoad({ ...side, seconds: 3600 });
// Without it the first version is gone before anybody asks.
await Promise.all([load.began, neighbour.began]);
await wait(PACE_MS);
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
for (let swap = 1; swap <= SWAPS; swap += 1) {
  const version = swap + 1;
  const fails = swap % 5 === 0;
  const beganAt = performance.now();
  publish(repository, 'swapped', version, { goldenAdds: fails ? version + 1 : version });
  const { status, body } = await admin(server, 'POST', '/v2/repository/models/swapped/load');
  swapMs.push(performance.now() - beganAt);
  if (fails ? status !== 400 || !/golden answers/.test(body.error) : status !== 200)
    problems.push(`version ${version}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
  withdraw(repository, 'swapped', fails ? version : serving);
  if (!fails) serving = version;
  await readEvents();
  await wait(Math.max(0, PACE_MS - (performance.now() - beganAt)));
}
await wait(500);
load.stop();
neighbour.stop();
const [seen, beside] = await Promise.all([load.result, neighbour.result]);
await readEvents();
const after = processFacts(server.pid);
await server.stop();
rmSync(repository, { recursive: true });

let outOfTime = 0;
const versions = new Set();
for (let i = 0; i < seen.answers.length; i += 3) {
  const [sentMs, gotMs, version] = seen.answers.slice(i, i + 3);
  const time = served.get(version);
  versions.add(version);
  // Clocks count whole milliseconds on both sides.
  if (time === undefined || gotMs < time.fromMs - 1 || sentMs > time.toMs + 1) outOfTime += 1;
}
const p99 = (result) =>
  percentile(
    result.latenciesMs.sort((left, right) => left - right),
    0.99,
  );
const [quietP99, swapP99] = [p99(quiet), p99(beside)];
const slow = swapMs.sort((left, right) => left - right);
report(
  `${SWAPS} swaps, ${CONNECTIONS} connections at ${perSecond} requests/s`,
  [
    ['requests', seen.latenciesMs.length],
    ['versions that became ready / that answered', `${served.size} / ${versions.size}`],
    ['swap, median / p99', `${percentile(slow, 0.5).toFixed(1)} / ${percentile(slow, 0.99).toFixed(1)} ms`],
    ['neighbour p99, quiet / swapping', `${quietP99.toFixed(2)} / ${swapP99.toFixed(2)} ms`],
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
    ["the neighbour's p99 is within 20 % of its quiet one", swapP99 <= quietP99 * 1.2],
  ],
);
