#!/usr/bin/env node
/**
 * Shows that a shadow which is the same as its version is never flagged, over a million comparisons, and that those which are not
 * are flagged within a hundred requests: one with weights off by 1 %, one with weights of the other sign. Random images, seeded;
 * straight through the engine, so that the comparisons are what takes the time.
 *   node scripts/prove-shadow.mjs [--comparisons 1000000] [--limit-s 300] [--seed 1]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readSettings } from '../dist/config.js';
import { createEngine } from '../dist/engine/addon-engine.js';
import { startServer } from '../dist/server.js';
import { isFlagged } from '../dist/shadow/report.js';
import { shadowRule } from '../dist/shadow/rules.js';
import { seededRandom } from './models/random.mjs';

const { values } = parseArgs({
  options: {
    comparisons: { type: 'string', default: '1000000' },
    'limit-s': { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
  },
});
const MAKE = fileURLToPath(new URL('make-digit-versions.mjs', import.meta.url));
const QUIET = { info() {}, warn() {}, error() {} };
const AT_ONCE = 128;
const MOST_WAITING = 1024;
/** Within which a wrong one is flagged. */
const MOST_REQUESTS = 100;
const PIXELS = 64;
const BRIGHTEST = 16;
const rule = shadowRule.parse({ version: '2', of: '1' });

function randomBodies(count, next) {
  return Array.from(
    { length: count },
    () => Float32Array.from({ length: PIXELS }, () => next() * BRIGHTEST).buffer,
  );
}

/** Asks version 1 with version 2, which `faults` make, in its shadow: what `prove` finds. */
async function shadowed(folder, faults, prove) {
  execFileSync(process.execPath, [MAKE, folder, ...faults]);
  let engine;
  const settings = readSettings({ repository: folder, port: 0, adminPort: 0 }, {});
  const server = await startServer(settings, QUIET, { createEngine: () => (engine = createEngine()) });
  try {
    const { versions } = server.models().models.get('digits');
    const [primary, shadow] = ['1', '2'].map((version) => versions.get(version).handle);
    const number = engine.openShadow(primary, shadow, { outputs: {}, maxWaiting: 4 * MOST_WAITING });
    const bodies = randomBodies(4096, seededRandom(Number(values.seed)));
    const asked = { count: 0, answered: 0, failed: 0 };
    const sink = {
      delivered(status) {
        asked.answered += 1;
        if (status !== 0) asked.failed += 1;
      },
    };
    const ask = async (count) => {
      for (const last = asked.count + count; asked.count < last; asked.count += 1) {
        engine.shadowNext(number);
        const ticket = engine.submit(primary, 0, bodies[asked.count % bodies.length], 0, 0, sink);
        if (ticket < 0) throw new Error(`refused: ${engine.lastErrorText()}`);
      }
      while (asked.answered < asked.count) await nextTurn();
    };
    return await prove(ask, () => engine.shadowFacts(number), asked);
  } finally {
    await server.stop();
  }
}

/** Until there are so many comparisons, or it is flagged. */
async function askMany(ask, read, asked) {
  for (;;) {
    const facts = read();
    const flagged = isFlagged(facts, rule);
    if (flagged || facts.compared >= target || performance.now() > endMs)
      return { facts, flagged, failed: asked.failed };
    if (facts.waiting > MOST_WAITING) await pause(1);
    else await ask(AT_ONCE);
  }
}

/** One by one, looking after each, until it is flagged. */
async function askFew(ask, read, asked) {
  while (asked.count < MOST_REQUESTS && performance.now() < endMs) {
    await ask(1);
    while (read().compared < asked.count && performance.now() < endMs) await pause(1);
    const facts = read();
    if (isFlagged(facts, rule)) return { requests: asked.count, apart: facts.apart };
  }
  return undefined;
}

async function isSoonFlagged(name, faults) {
  const found = await shadowed(join(folder, name), faults, askFew);
  const text =
    found === undefined
      ? `not flagged within ${MOST_REQUESTS} requests`
      : `flagged after ${found.requests} requests, ${found.apart} apart`;
  console.log(`${name}: ${text}`);
  return found !== undefined;
}

const target = Number(values.comparisons);
const endMs = performance.now() + Number(values['limit-s']) * 1000;
const folder = mkdtempSync(join(tmpdir(), 'sluice-shadow-'));
try {
  const beganMs = performance.now();
  const same = await shadowed(join(folder, 'the same'), ['--noise', '0'], askMany);
  const { compared, apart, skipped, dropped } = same.facts;
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  console.log(
    `the same version: ${compared} comparisons in ${seconds} s, ${apart} apart, ${skipped.runFailed} failed, flagged: ${same.flagged}`,
  );
  console.log(`dropped and not counted among them: ${JSON.stringify(dropped)}`);
  const isNear = await isSoonFlagged('weights off by up to 1 %', ['--noise', '0.01']);
  const isFar = await isSoonFlagged('weights of the other sign', ['--noise', '0', '--flip-sign']);
  const isProven = compared >= target && apart === 0 && skipped.runFailed === 0 && same.failed === 0;
  if (!isProven || same.flagged || !isNear || !isFar) {
    console.error('not shown');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
