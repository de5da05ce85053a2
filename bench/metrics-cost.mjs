#!/usr/bin/env node
// What being watched costs: throughput of `tiny` with everything about metrics switched on, and with a split of 90 to 10 and a
// shadow of 10 % besides, over a server with none of it, in interleaved rounds; and what a scrape of 50 models, each with
// traffic behind it, takes and does to the latency of a neighbour.
// The throughput is that of one server, whose rollout changes with the turns: two processes of the same server differ by more than
// what is looked for, for as long as they live. The two turns with nothing of it tell what the machine does meanwhile.
// Usage: node bench/metrics-cost.mjs [--only throughput,scrape] [--rounds 24] [--block-s 1] [--scrape-rounds 30]
import { get } from 'node:http';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.mjs';
import { runBlock } from './block.mjs';
import { buildAll } from './build.mjs';
import { BENCH_BUILD, MODELS } from './paths.mjs';
import { ask, prepareRequest } from './requests.mjs';
import { cpuUs, startServer } from './servers.mjs';
import { median, ratioText, summary } from './stats.mjs';
import { makeTwoVersions, NO_FATE, withFate } from './two-versions.mjs';

const MODEL_COUNT = 50;
const SCRAPE_MS = 1000;
/** With two scrapes, or with none. */
const SCRAPE_BLOCK_S = 2;
/** Requests a second of the neighbour that is watched. */
const RATE = 5000;
const WATCHED = ['--triton-metrics'];
const LEAST_SHARE = 0.95;
const ROLLED_OUT = join(BENCH_BUILD, 'models-rolled-out');
const ALIASES = { aliases: { stable: '1', canary: '2' } };
const ROLLOUT = {
  ...ALIASES,
  split: [
    { to: 'stable', weight: 90 },
    { to: 'canary', weight: 10 },
  ],
  shadow: [{ version: 'canary', of: 'stable', percent: 10 }],
};
const SIDES = {
  off: { rollout: ALIASES, isScraped: false },
  again: { rollout: ALIASES, isScraped: false, what: 'the same again' },
  metrics: { rollout: ALIASES, isScraped: true, what: `Triton's names, scraped every ${SCRAPE_MS} ms` },
  all: { rollout: ROLLOUT, isScraped: true, what: 'the same, split and 10 % shadow' },
};
const SCENARIO = { layout: 'P1', load: { connections: 32 } };

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'throughput,scrape' },
    rounds: { type: 'string', default: '24' },
    'block-s': { type: 'string', default: '1' },
    'scrape-rounds': { type: 'string', default: '30' },
  },
});
const blockS = Number(values['block-s']);

function serve(repository, flags) {
  const args = [
    'dist/cli/main.js',
    'serve',
    repository,
    '--port=0',
    '--admin-port=0',
    '--log-level=info',
    ...flags,
  ];
  return startServer(args, { cores: '0' });
}

/** The text is read and thrown away: to decode a megabyte here would take the generator's core. */
async function scrape({ metricsUrl }) {
  const beganMs = performance.now();
  let bytes = 0;
  await new Promise((resolve, reject) => {
    get(metricsUrl, (reply) => {
      reply.on('data', (chunk) => (bytes += chunk.length));
      reply.on('end', resolve);
    }).on('error', reject);
  });
  return { ms: performance.now() - beganMs, bytes };
}

/** Scrapes as long as `work` goes on. */
async function scraped(server, work) {
  const timer = setInterval(() => void scrape(server), SCRAPE_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function told(name, values, digits = 3) {
  const { median: middle, min, max } = summary(values);
  console.log(`${name}: ${middle.toFixed(digits)} (${min.toFixed(digits)} .. ${max.toFixed(digits)})`);
}

async function setRollout({ metricsUrl }, rollout) {
  const url = new URL('/models/tiny/rollout', metricsUrl);
  const { etag } = await (await fetch(url)).json();
  const headers = { 'content-type': 'application/json', 'if-match': etag };
  const reply = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(rollout) });
  if (!reply.ok) throw new Error(`expected the rollout to be taken, got ${await reply.text()}`);
}

/** Of the shadow of a turn. */
async function shadowFacts({ metricsUrl }) {
  const { shadows } = await (await fetch(new URL('/shadow/tiny', metricsUrl))).json();
  return shadows[0].facts;
}

async function costOfWatching(request) {
  makeTwoVersions(ROLLED_OUT, ALIASES);
  const server = await serve(ROLLED_OUT, WATCHED);
  let total = NO_FATE;
  const turn = async (name) => {
    const { rollout, isScraped } = SIDES[name];
    await setRollout(server, rollout);
    const block = () => runBlock(server, { request, protocol: 'http' }, SCENARIO, blockS);
    const found = await (isScraped ? scraped(server, block) : block());
    if (rollout.shadow !== undefined) total = withFate(total, await shadowFacts(server));
    return found;
  };
  const names = Object.keys(SIDES);
  const ratios = Object.fromEntries(names.map((name) => [name, { rates: [], cpus: [] }]));
  try {
    for (const name of names) await turn(name);
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const at = round % names.length;
      const order = [...names.slice(at), ...names.slice(0, at)];
      const sums = Object.fromEntries(names.map((name) => [name, { rate: 0, cpuUs: 0 }]));
      for (const name of [...order, ...order.toReversed()]) {
        const { rate, serverCpuUs } = await turn(name);
        sums[name].rate += rate;
        sums[name].cpuUs += serverCpuUs;
      }
      for (const name of names) {
        ratios[name].rates.push(sums[name].rate / sums.off.rate);
        ratios[name].cpus.push(sums[name].cpuUs / sums.off.cpuUs);
      }
    }
  } finally {
    await server.stop();
  }
  for (const name of names.slice(1)) {
    const { rates, cpus } = ratios[name];
    console.log(`tiny, ${SIDES[name].what}, over off: throughput ${ratioText(rates, 3)}`);
    console.log(`  processor time of a request, scrapes and shadow with it: ${ratioText(cpus, 3)}`);
  }
  console.log(`samples of the shadow: ${JSON.stringify(total)}`);
  const isMet = ['metrics', 'all'].every((name) => median(ratios[name].rates) >= LEAST_SHARE);
  console.log(`${isMet ? 'met' : 'NOT MET'}: at least ${LEAST_SHARE}`);
  return isMet;
}

async function costOfScrape(request) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-scrape-'));
  const names = Array.from({ length: MODEL_COUNT }, (_, at) => `tiny_${at}`);
  mkdirSync(join(folder, 'models'));
  for (const name of names) symlinkSync(join(MODELS, 'tiny'), join(folder, 'models', name));
  let server;
  try {
    server = await serve(join(folder, 'models'), []);
    for (const name of names) await ask(server.url, { ...request, path: `/v2/models/${name}/infer` });
    const side = { request: { ...request, path: `/v2/models/${names[0]}/infer` }, protocol: 'http' };
    const scenario = { ...SCENARIO, load: { connections: 8, mode: 'poisson', rate: RATE } };
    for (let at = 0; at < 20; at += 1) await scrape(server);
    const alone = [];
    const cpuBeforeUs = cpuUs(server.pid);
    for (let at = 0; at < 50; at += 1) alone.push(await scrape(server));
    told(
      `scrape of ${MODEL_COUNT} models: ms`,
      alone.map(({ ms }) => ms),
      1,
    );
    console.log(
      `its processor time: ${((cpuUs(server.pid) - cpuBeforeUs) / 1000 / alone.length).toFixed(1)} ms`,
    );
    console.log(`its size: ${Math.round(median(alone.map(({ bytes }) => bytes)) / 1024)} KiB`);
    const ratios = { p99Us: [], p50Us: [] };
    const sides = {
      quiet: () => runBlock(server, side, scenario, SCRAPE_BLOCK_S),
      busy: () => scraped(server, () => runBlock(server, side, scenario, SCRAPE_BLOCK_S)),
    };
    for (let round = 0; round < Number(values['scrape-rounds']); round += 1) {
      const found = {};
      for (const name of round % 2 === 0 ? ['quiet', 'busy'] : ['busy', 'quiet'])
        found[name] = await sides[name]();
      const { quiet, busy } = found;
      for (const key of Object.keys(ratios)) ratios[key].push(busy[key] / quiet[key]);
    }
    told(`neighbour at ${RATE}/s, scraped every ${SCRAPE_MS} ms over not: p50`, ratios.p50Us);
    told(`neighbour at ${RATE}/s, scraped every ${SCRAPE_MS} ms over not: p99`, ratios.p99Us);
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

buildAll();
const request = prepareRequest('tinyRaw');
const wanted = values.only.split(',');
const endAwake = keepAwake();
try {
  const isGood = !wanted.includes('throughput') || (await costOfWatching(request));
  if (wanted.includes('scrape')) await costOfScrape(request);
  process.exitCode = isGood ? 0 : 1;
} finally {
  endAwake();
}
