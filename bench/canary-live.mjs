#!/usr/bin/env node
/**
 * Plans that decide by themselves under an open load: a good candidate is promoted; one with worse weights and one whose runs
 * fail are rolled back in the shadow, before any client meets them; a slow one is rolled back by its latency with a tenth of
 * the traffic. Every answer is compared with those that the two versions gave alone: none may fail, none may be anything else.
 * Prints each plan's log, and how long after the first bad answer it was over.
 *   node bench/canary-live.mjs [--only good,worse,failing,slow] [--rate 2000] [--duration-s 30] [--connections 64]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.mjs';
import { capture } from './block.mjs';
import { buildProduct } from './build.mjs';
import { GENERATOR, ROOT } from './paths.mjs';
import { startServer } from './servers.mjs';

const CANDIDATES = {
  good: { made: ['--noise', '0'], ends: 'PROMOTED', meetsClients: true },
  worse: { made: ['--noise', '0.5'], ends: 'ROLLED_BACK', meetsClients: false },
  failing: { made: ['--noise', '0', '--fails-above', '15'], ends: 'ROLLED_BACK', meetsClients: false },
  // A shadow's latency is not judged: clients have to meet this one.
  slow: {
    made: ['--noise', '0', '--slow-steps', '2000'],
    steps: [{ weight: 10 }],
    ends: 'ROLLED_BACK',
    meetsClients: true,
  },
};
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(CANDIDATES).join(',') },
    rate: { type: 'string', default: '2000' },
    'duration-s': { type: 'string', default: '30' },
    connections: { type: 'string', default: '64' },
  },
});
const IMAGES = 40;
const LOOK_MS = 5;
/** The log's times are whole milliseconds. */
const LOG_RESOLUTION_MS = 1;
const FLOATS_BYTES = 10 * 4;
/** The batch that a row happens to be in changes the last bits of a float. */
const TOLERANCE = '1e-4';
const STEPS = [{ shadowPercent: 100, minSamples: 500 }, { weight: 10 }, { weight: 50 }];
const PLAN = {
  candidate: '2',
  baseline: '1',
  limits: { disagreement: 0.02, errorRate: 0.01, p99Ratio: 5 },
  checkSeconds: 0.05,
};
const JSON_TYPE = { 'content-type': 'application/json' };

function bodies() {
  const { pixels } = JSON.parse(readFileSync(join(ROOT, 'examples/held-out-digits.json'), 'utf8'));
  const head = JSON.stringify({
    inputs: [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], parameters: { binary_data_size: 256 } }],
    outputs: [{ name: 'probabilities', parameters: { binary_data: true } }],
  });
  const headers = { 'Inference-Header-Content-Length': String(head.length) };
  return pixels.slice(0, IMAGES).map((image) => ({
    body: Buffer.concat([Buffer.from(head), Buffer.from(Float32Array.from(image).buffer)]),
    headers,
  }));
}

/** Undefined where the version cannot answer: then no client may get its answer. */
async function answerOf(server, version, { body, headers }) {
  const url = `${server.url}/v2/models/digits/versions/${version}/infer`;
  const response = await fetch(url, { method: 'POST', headers, body });
  const answer = Buffer.from(await response.arrayBuffer());
  return response.ok ? answer : undefined;
}

/** The generator's words: each image with what version 1 and version 2 say to it. */
async function requestWords(server, folder) {
  const words = [];
  for (const [index, request] of bodies().entries()) {
    const file = (name) => join(folder, `${index}-${name}`);
    writeFileSync(file('body'), request.body);
    words.push('--body', file('body'), '--path', '/v2/models/digits/infer');
    for (const [name, value] of Object.entries(request.headers)) words.push('--header', `${name}: ${value}`);
    words.push('--expect-float-bytes', String(FLOATS_BYTES));
    for (const version of ['1', '2']) {
      writeFileSync(file(version), (await answerOf(server, version, request)) ?? 'no answer');
      words.push('--expect', file(version));
    }
  }
  return words;
}

async function admin(server, method, path, body) {
  const sent = body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, server.metricsUrl), { method, ...sent });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Until the plan has ended or the load is over; with when a shadow's answer was first seen to be bad. */
async function watch(server, isOver) {
  let firstBadMs;
  for (;;) {
    if (firstBadMs === undefined) {
      const [shadow] = (await admin(server, 'GET', '/shadow/digits')).shadows;
      const bad = (shadow?.facts?.apart ?? 0) + (shadow?.facts?.skipped.runFailed ?? 0);
      if (bad > 0) firstBadMs = Date.now();
    }
    const plan = await admin(server, 'GET', '/models/digits/plan');
    if (plan.state !== 'RUNNING' || isOver()) return { plan, firstBadMs };
    await pause(LOOK_MS);
  }
}

async function run(name) {
  const { made, ends, meetsClients, steps = STEPS } = CANDIDATES[name];
  const folder = mkdtempSync(join(tmpdir(), 'sluice-canary-'));
  const repository = join(folder, 'models');
  execFileSync(process.execPath, [join(ROOT, 'scripts/make-digit-versions.mjs'), repository, ...made]);
  writeFileSync(join(repository, 'digits/rollout.json'), '{"aliases":{"stable":"1"}}');
  mkdirSync(join(folder, 'requests'));
  const serve = ['dist/cli/main.js', 'serve', repository, '--port=0', '--admin-port=0', '--log-level=error'];
  const server = await startServer(serve);
  const endAwake = keepAwake();
  try {
    const requests = await requestWords(server, join(folder, 'requests'));
    const words = ['--mode', 'poisson', '--rate', values.rate, '--connections', values.connections];
    words.push('--duration-s', values['duration-s'], '--warmup-s', '0', '--tolerance', TOLERANCE);
    let isOver = false;
    const load = capture([GENERATOR, server.url, ...words, ...requests])
      .then(JSON.parse)
      .finally(() => (isOver = true));
    await pause(500);
    const rollout = { aliases: { stable: '1' }, plan: { ...PLAN, steps } };
    await admin(server, 'PUT', '/models/digits/rollout', rollout);
    const [result, { plan, firstBadMs }] = await Promise.all([load, watch(server, () => isOver)]);
    return judge({ name, ends, meetsClients, result, plan, firstBadMs });
  } finally {
    endAwake();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge({ name, ends, meetsClients, result, plan, firstBadMs }) {
  const good = result.byStatus['200'] ?? 0;
  const { mismatched, ...lost } = result.errors;
  const failed = result.replies - good + Object.values(lost).reduce((sum, count) => sum + count, 0);
  const [ofFirst, ofSecond = { count: 0 }] = result.expected ?? [{ count: 0 }];
  console.log(`\n${name}: ${plan.state}, expected ${ends}`);
  for (const { time, action, reason } of plan.log) console.log(`  ${time} ${action}: ${reason}`);
  console.log(
    `  ${result.replies} requests at ${values.rate}/s, ${failed} failed, ${mismatched} wrong; ${ofFirst.count} answered by version 1, ${ofSecond.count} by version 2`,
  );
  const endedMs = Date.parse(plan.log.at(-1).time);
  let isLate = false;
  if (ends === 'ROLLED_BACK') {
    const fromMs = meetsClients ? ofSecond.firstSentUnixUs / 1000 : firstBadMs;
    const what = meetsClients ? 'the first request that version 2 got' : 'the first bad answer in the shadow';
    console.log(`  from ${what} to the rollback: ${(endedMs - fromMs).toFixed(0)} ms`);
    if (ofSecond.count > 0) {
      const afterMs = ofSecond.lastSentUnixUs / 1000 - endedMs;
      isLate = afterMs > LOG_RESOLUTION_MS;
      const side = isLate ? 'after' : 'before';
      console.log(
        `  the last request that version 2 got was sent ${Math.abs(afterMs).toFixed(1)} ms ${side} the rollback was in force`,
      );
    }
  }
  const hasMet = ofSecond.count > 0;
  const isShown =
    plan.state === ends && failed === 0 && mismatched === 0 && good > 0 && hasMet === meetsClients && !isLate;
  console.log(`  ${isShown ? 'shown' : 'NOT SHOWN'}`);
  return isShown;
}

buildProduct();
let isShown = true;
for (const name of values.only.split(',')) {
  if (CANDIDATES[name] === undefined)
    throw new Error(`expected some of ${Object.keys(CANDIDATES).join(', ')} for --only, got ${name}`);
  if (!(await run(name))) isShown = false;
}
process.exitCode = isShown ? 0 : 1;
