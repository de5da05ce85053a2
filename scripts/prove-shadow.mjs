#!/usr/bin/env node
/**
 * Shows that a shadow which is the same as its version is never flagged, over a million comparisons, and that one which is not
 * is flagged soon. Random images, seeded; straight through the engine, so that the comparisons are what takes the time.
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
const PIXELS = 64;
const BRIGHTEST = 16;
const rule = shadowRule.parse({ version: '2', of: '1' });

function randomBodies(count, next) {
  return Array.from(
    { length: count },
    () => Float32Array.from({ length: PIXELS }, () => next() * BRIGHTEST).buffer,
  );
}

/** Asks version 1 with version 2 in its shadow until there are so many comparisons, or it is flagged. */
async function compare(folder, noise, target, endMs) {
  execFileSync(process.execPath, [MAKE, folder, '--noise', String(noise)]);
  let engine;
  const settings = readSettings({ repository: folder, port: 0, adminPort: 0 }, {});
  const server = await startServer(settings, QUIET, { createEngine: () => (engine = createEngine()) });
  try {
    const { versions } = server.models().models.get('digits');
    const [primary, shadow] = ['1', '2'].map((version) => versions.get(version).handle);
    const number = engine.openShadow(primary, shadow, { outputs: {}, maxWaiting: 4 * MOST_WAITING });
    const bodies = randomBodies(4096, seededRandom(Number(values.seed)));
    let answered = 0;
    let failed = 0;
    const sink = {
      delivered(status) {
        answered += 1;
        if (status !== 0) failed += 1;
      },
    };
    let asked = 0;
    for (;;) {
      const facts = engine.shadowFacts(number);
      const flagged = isFlagged(facts, rule);
      if (flagged || facts.compared >= target || performance.now() > endMs)
        return { facts, flagged, failed, asked };
      if (facts.waiting > MOST_WAITING) {
        await pause(1);
        continue;
      }
      for (let count = 0; count < AT_ONCE; count += 1) {
        engine.shadowNext(number);
        const ticket = engine.submit(primary, 0, bodies[asked % bodies.length], 0, 0, sink);
        if (ticket < 0) throw new Error(`refused: ${engine.lastErrorText()}`);
        asked += 1;
      }
      while (answered < asked) await nextTurn();
    }
  } finally {
    await server.stop();
  }
}

const target = Number(values.comparisons);
const endMs = performance.now() + Number(values['limit-s']) * 1000;
const folder = mkdtempSync(join(tmpdir(), 'sluice-shadow-'));
try {
  const beganMs = performance.now();
  const same = await compare(join(folder, 'same'), 0, target, endMs);
  const { compared, apart, skipped, dropped } = same.facts;
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  console.log(
    `the same version: ${compared} comparisons in ${seconds} s, ${apart} apart, ${skipped.runFailed} failed, flagged: ${same.flagged}`,
  );
  console.log(`dropped and not counted among them: ${JSON.stringify(dropped)}`);
  const worse = await compare(join(folder, 'worse'), 0.5, target, endMs);
  console.log(
    `weights off by up to 50 %: flagged: ${worse.flagged}, after ${worse.facts.compared} comparisons, ${worse.facts.apart} apart`,
  );
  const isProven = compared >= target && apart === 0 && skipped.runFailed === 0 && same.failed === 0;
  if (!isProven || same.flagged || !worse.flagged) {
    console.error('not shown');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
