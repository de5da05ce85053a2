#!/usr/bin/env node
/**
 * What a shadow at 100 % costs its version: one server, in turns without and with the shadow, in rounds of four turns that are
 * mirrored. Twice: `idle`, at a fixed rate that leaves most of the server's core idle, so that a shadow finds time; `saturated`, as
 * fast as one core answers, where there is no time for it and it must cost nearly nothing. Tells throughput and p99 with it
 * over without, turn against the turn beside it, and the same for the two turns of each round that are alike, which is the
 * machine's noise; what became of the samples, and how the server's memory grew. The p99 is judged by slots of a twentieth of a
 * second, the middle half of them; that of whole turns is told as well.
 *   node bench/shadow-cost.mjs [--only idle,saturated] [--rounds 30] [--block-s 1] [--connections 16] [--rate-share 0.3] [--spread]
 * Two cores: the server has the first, the generator polls on the second; with --spread both may use both, and the generator
 * sleeps, so that a shadow finds a core that is idle. A p99 of one block differs from the next by half for
 * no reason of ours: it takes many rounds to see a twentieth, and the bounds of the median tell whether they were enough.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.mjs';
import { capture, pollWords } from './block.mjs';
import { buildAll } from './build.mjs';
import { BENCH_BUILD, GENERATOR } from './paths.mjs';
import { prepareRequest } from './requests.mjs';
import { pinned, startServer } from './servers.mjs';
import { calmP99Us, median, mirroredRatios, ratioText } from './stats.mjs';
import { makeTwoVersions, NO_FATE, withFate } from './two-versions.mjs';

const REPOSITORY = join(BENCH_BUILD, 'models-shadow');
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'idle,saturated' },
    rounds: { type: 'string', default: '30' },
    'block-s': { type: 'string', default: '1' },
    connections: { type: 'string', default: '16' },
    'rate-share': { type: 'string', default: '0.3' },
    spread: { type: 'boolean', default: false },
  },
});
const SERVER_CORES = values.spread ? undefined : '0';
const GENERATOR_CORES = values.spread ? undefined : '1';
const MOST_COST = 0.05;
const SLOT_S = 0.05;
const TURNS = [false, true, true, false];

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
  command.push('--path', path, '--duration-s', values['block-s'], '--timeline-s', String(SLOT_S));
  for (const [name, value] of Object.entries(request.headers)) command.push('--header', `${name}: ${value}`);
  const result = JSON.parse(await capture(pinned(GENERATOR_CORES, command)));
  if (!(result.byStatus['200'] === result.replies && result.replies > 0))
    throw new Error(`expected only answers with status 200, got ${JSON.stringify(result.byStatus)}`);
  return result;
}

const polls = values.spread ? ['--spin-us', '0'] : pollWords('P1');
const closed = ['--mode', 'closed', '--connections', values.connections, ...polls];
const p99 = (result) => result.latency.percentiles.find(({ percent }) => percent === 99).us;

function memoryMiB(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]) / 1024;
  return { now: read('VmRSS'), most: read('VmHWM') };
}

async function turn(server, request, isShadowed, words) {
  await admin(server, 'PUT', { shadow: isShadowed ? [{ version: '2', of: '1' }] : [] });
  const result = await load(server, request, words);
  const [shadow] = await admin(server, 'GET');
  return {
    perS: result.achievedPerS,
    p99Us: p99(result),
    calmP99Us: calmP99Us(result.timeline),
    facts: shadow?.facts,
  };
}

function tell(name, ratios, limit = '') {
  console.log(`  ${name}: ${ratioText(ratios, 3)}${limit}`);
}

function told(name, ratios, isMet) {
  const is = isMet(median(ratios));
  tell(name, ratios, `: ${is ? 'within' : 'BEYOND'} ${MOST_COST * 100} %`);
  return is;
}

async function measure(server, request, words) {
  const before = memoryMiB(server.pid);
  const all = [];
  let total = NO_FATE;
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const turns = [];
    for (const isShadowed of TURNS)
      turns.push(await turn(server, request, round % 2 === 0 ? isShadowed : !isShadowed, words));
    for (const { facts } of turns) if (facts !== undefined) total = withFate(total, facts);
    all.push(...turns);
    const each = turns.map(
      (one) =>
        `${one.facts === undefined ? '' : 'shadow '}${Math.round(one.perS)}/s ` +
        `${one.p99Us.toFixed(0)} (${one.calmP99Us.toFixed(0)}) us`,
    );
    console.log(`  round ${round + 1}: ${each.join(', ')}`);
  }
  const after = memoryMiB(server.pid);
  const { sampled, compared, dropped, failed, waiting, apart } = total;
  console.log(
    `  samples: ${sampled}; compared ${compared}, dropped ${dropped}, failed ${failed}, still waiting ${waiting}; ${apart} apart`,
  );
  console.log(
    `  memory: ${before.now.toFixed(0)} MiB before, ${after.now.toFixed(0)} MiB after, ${after.most.toFixed(0)} MiB at most`,
  );
  const of = (key) =>
    mirroredRatios(
      all,
      ({ facts }) => facts !== undefined,
      (one) => one[key],
    );
  const isFast = told('throughput, with over without', of('perS').changes, (ratio) => ratio >= 1 - MOST_COST);
  const isPrompt = told(
    'p99 of slots, with over without',
    of('calmP99Us').changes,
    (ratio) => ratio <= 1 + MOST_COST,
  );
  tell('p99 of turns, with over without', of('p99Us').changes);
  tell('throughput of two turns that are alike', of('perS').alike);
  tell('p99 of slots of two turns that are alike', of('calmP99Us').alike);
  tell('p99 of two turns that are alike', of('p99Us').alike);
  return isFast && isPrompt && sampled > 0 && apart === 0 && failed === 0;
}

async function phase(name, request) {
  const serve = ['dist/cli/main.js', 'serve', REPOSITORY, '--port=0', '--admin-port=0', '--log-level=warn'];
  const server = await startServer(serve, { cores: SERVER_CORES });
  const endAwake = keepAwake();
  try {
    await admin(server, 'PUT', { shadow: [] });
    const ceiling = await load(server, request, closed);
    const ratePerS = Math.round(ceiling.achievedPerS * Number(values['rate-share']));
    const open = ['--mode', 'poisson', '--connections', values.connections, '--rate', String(ratePerS)];
    const words = name === 'saturated' ? closed : [...open, ...polls];
    console.log(`\n${name}: ${name === 'saturated' ? 'closed loop' : `${ratePerS} requests/s`}`);
    return await measure(server, request, words);
  } finally {
    endAwake();
    await server.stop();
  }
}

buildAll();
makeTwoVersions(REPOSITORY, { aliases: { stable: '1', next: '2' } });
const request = prepareRequest('tinyRaw');
let isMet = true;
for (const name of values.only.split(',')) {
  if (name !== 'idle' && name !== 'saturated')
    throw new Error(`expected idle or saturated for --only, got ${name}`);
  if (!(await phase(name, request))) isMet = false;
}
console.log(isMet ? 'met' : 'NOT MET');
process.exitCode = isMet ? 0 : 1;
