/**
 * What a shadow at 100 % costs its version: one server, in turns without and with the shadow. Throughput comes from connections
 * that each wait for their answer, latency from a fixed rate at half of that, the same for both turns. Each round is a pair,
 * and every second one has its turns the other way round.
 *   node bench/shadow-cost.mjs [--rounds 6] [--block-s 2] [--connections 16] [--server-cores 0] [--generator-cores 1]
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { capture } from './block.mjs';
import { buildAll } from './build.mjs';
import { BENCH_BUILD, GENERATOR, MODELS } from './paths.mjs';
import { prepareRequest } from './requests.mjs';
import { pinned, startServer } from './servers.mjs';

const REPOSITORY = join(BENCH_BUILD, 'models-shadow');
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    'block-s': { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
    // 'all': not pinned.
    'server-cores': { type: 'string', default: '0' },
    'generator-cores': { type: 'string', default: '1' },
  },
});
const coresOf = (text) => (text === 'all' ? undefined : text);

function makeRepository() {
  rmSync(REPOSITORY, { recursive: true, force: true });
  const model = join(REPOSITORY, 'tiny');
  for (const version of ['1', '2']) {
    mkdirSync(join(model, version), { recursive: true });
    cpSync(join(MODELS, 'tiny', '1'), join(model, version), { recursive: true });
  }
  // What a rollout names is loaded.
  writeFileSync(join(model, 'rollout.json'), JSON.stringify({ aliases: { stable: '1', next: '2' } }));
}

async function admin(server, method, body) {
  const response = await fetch(new URL('/shadow/tiny', server.metricsUrl), {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} /shadow/tiny: ${response.status} ${await response.text()}`);
  return (await response.json()).shadows;
}

async function load(server, request, words) {
  const path = request.path.replace('/infer', '/versions/1/infer');
  const command = [GENERATOR, server.url, ...words, '--warmup-s', '0.2', '--body', request.bodyFile];
  command.push('--path', path, '--duration-s', values['block-s']);
  for (const [name, value] of Object.entries(request.headers)) command.push('--header', `${name}: ${value}`);
  const result = JSON.parse(await capture(pinned(coresOf(values['generator-cores']), command)));
  if (!(result.byStatus['200'] === result.replies && result.replies > 0))
    throw new Error(`expected only answers with status 200, got ${JSON.stringify(result.byStatus)}`);
  return result;
}

const closed = ['--mode', 'closed', '--connections', values.connections];
const p99 = (result) => result.latency.percentiles.find(({ percent }) => percent === 99).us;

/** One turn: throughput, then latency at `ratePerS`. */
async function turn(server, request, isShadowed, ratePerS) {
  await admin(server, 'PUT', { shadow: isShadowed ? [{ version: '2', of: '1' }] : [] });
  const throughput = await load(server, request, closed);
  const [busy] = await admin(server, 'GET');
  const rate = ['--mode', 'rate', '--connections', values.connections, '--rate', String(ratePerS)];
  const latency = await load(server, request, rate);
  const [after] = await admin(server, 'GET');
  return {
    perS: throughput.achievedPerS,
    p99Us: p99(latency),
    comparedFull: busy?.facts.compared ?? 0,
    sampledFull: busy?.facts.sampled ?? 0,
    comparedHalf: (after?.facts.compared ?? 0) - (busy?.facts.compared ?? 0),
    sampledHalf: (after?.facts.sampled ?? 0) - (busy?.facts.sampled ?? 0),
    apart: after?.facts.apart ?? 0,
  };
}

function told(ratios) {
  const sorted = [...ratios].sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return `${middle.toFixed(3)} (${sorted[0].toFixed(3)} - ${sorted.at(-1).toFixed(3)})`;
}

buildAll();
makeRepository();
const request = prepareRequest('tinyRaw');
const serve = ['dist/cli/main.js', 'serve', REPOSITORY, '--port=0', '--admin-port=0', '--log-level=warn'];
const server = await startServer(serve, { cores: coresOf(values['server-cores']) });
try {
  await admin(server, 'PUT', { shadow: [] });
  const warm = await load(server, request, closed);
  const ratePerS = Math.round(warm.achievedPerS / 2);
  const pairs = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const pair = {};
    for (const isShadowed of round % 2 === 0 ? [false, true] : [true, false]) {
      pair[isShadowed ? 'with' : 'without'] = await turn(server, request, isShadowed, ratePerS);
      await pause(100);
    }
    pairs.push(pair);
    const { with: shadowed, without } = pair;
    console.log(
      `round ${round + 1}: ${Math.round(without.perS)} -> ${Math.round(shadowed.perS)} requests/s; p99 at ${ratePerS}/s ${without.p99Us.toFixed(0)} -> ${shadowed.p99Us.toFixed(0)} us; compared ${shadowed.comparedFull} of ${shadowed.sampledFull} under full load, ${shadowed.comparedHalf} of ${shadowed.sampledHalf} at half; ${shadowed.apart} apart`,
    );
  }
  console.log('with the shadow over without, median (least - most):');
  console.log(`  throughput ${told(pairs.map((pair) => pair.with.perS / pair.without.perS))}`);
  console.log(`  p99 latency ${told(pairs.map((pair) => pair.with.p99Us / pair.without.p99Us))}`);
} finally {
  await server.stop();
}
