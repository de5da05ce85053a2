#!/usr/bin/env node
// What being watched costs: throughput of `tiny` with everything about metrics switched on beside off, in interleaved pairs;
// and what a scrape of 50 models, each with traffic behind it, takes and does to the latency of a neighbour.
// Usage: node bench/metrics-cost.mjs [--rounds 9] [--block-s 2]
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runBlock } from './block.mjs';
import { buildAll } from './build.mjs';
import { MODELS } from './paths.mjs';
import { ask, prepareRequest } from './requests.mjs';
import { cpuUs, startServer } from './servers.mjs';
import { median, summary } from './stats.mjs';

const MODEL_COUNT = 50;
const SCRAPE_MS = 1000;
/** Requests a second of the neighbour that is watched. */
const RATE = 5000;
const WATCHED = ['--triton-metrics'];
const SCENARIO = { layout: 'P1', load: { connections: 32 } };

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, 'block-s': { type: 'string', default: '2' } },
});
const rounds = Number(values.rounds);
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

async function scrape({ metricsUrl }) {
  const beganMs = performance.now();
  const text = await (await fetch(metricsUrl)).text();
  return { ms: performance.now() - beganMs, bytes: text.length };
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

async function costOfWatching(request) {
  const off = await serve(MODELS, []);
  const on = await serve(MODELS, WATCHED);
  const ratios = [];
  const block = (server) => runBlock(server, { request, protocol: 'http' }, SCENARIO, blockS);
  const sides = { off: () => block(off), on: () => scraped(on, () => block(on)) };
  try {
    await sides.off();
    await sides.on();
    for (let round = 0; round < rounds; round += 1) {
      const rates = { off: 0, on: 0 };
      for (const side of round % 2 === 0 ? ['off', 'on', 'on', 'off'] : ['on', 'off', 'off', 'on'])
        rates[side] += (await sides[side]()).rate / 2;
      ratios.push(rates.on / rates.off);
    }
  } finally {
    await Promise.all([off.stop(), on.stop()]);
  }
  told(`tiny, scraped every ${SCRAPE_MS} ms with Triton's names, over off: throughput`, ratios);
  return median(ratios) >= 0.95;
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
    const alone = [];
    const cpuBeforeUs = cpuUs(server.pid);
    for (let at = 0; at < 20; at += 1) alone.push(await scrape(server));
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
    for (let round = 0; round < rounds; round += 1) {
      const quiet = await runBlock(server, side, scenario, blockS);
      const busy = await scraped(server, () => runBlock(server, side, scenario, blockS));
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
const isGood = await costOfWatching(request);
await costOfScrape(request);
process.exitCode = isGood ? 0 : 1;
