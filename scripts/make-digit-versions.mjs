#!/usr/bin/env node
/**
 * A repository with two versions of the digit classifier, to practise roll-outs on: version 1 is examples/models/digits as it
 * is, version 2 the same network after a bad export: every weight is off by a little. Its answers look right, and are worse.
 * With --flip-sign every weight has the other sign as well. Or version 2 has the weights of version 1, and something else is wrong
 * with it: --slow-steps for one that takes long, --fails-above for one that fails on images with a brighter pixel.
 *   node scripts/make-digit-versions.mjs OUT [--noise 0.5] [--flip-sign] [--slow-steps 0] [--fails-above 16]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeModel, encodeModel } from './models/onnx-schema.mjs';
import { seededRandom } from './models/random.mjs';
import { failingPath, slowPath } from './models/troublesome.mjs';

const EXAMPLE = fileURLToPath(new URL('../examples/models/digits', import.meta.url));
const SEED = 20;
const INPUT = 'pixels';
const DETOUR = 'pixels_taken';
const BRIGHTEST = 16;

/** The input passes through `path` first. */
function detour(graph, { nodes, constants }) {
  for (const one of graph.node) one.input = one.input.map((name) => (name === INPUT ? DETOUR : name));
  graph.node.unshift(...nodes);
  graph.initializer.push(...constants);
}

/** Each weight times a number of 1 - noise to 1 + noise, and times `sign`. */
function worsen(graph, noise, sign) {
  const next = seededRandom(SEED);
  for (const tensor of graph.initializer) {
    if (!tensor.name.startsWith('W')) continue;
    const weights = new Float32Array(Uint8Array.from(tensor.rawData).buffer);
    for (let index = 0; index < weights.length; index += 1)
      weights[index] *= sign * (1 + (2 * next() - 1) * noise);
    tensor.rawData = Buffer.from(weights.buffer);
  }
}

function secondVersion(bytes) {
  const graph = decodeModel(bytes);
  worsen(graph, noise, values['flip-sign'] ? -1 : 1);
  if (slowSteps > 0) detour(graph, slowPath(INPUT, DETOUR, slowSteps));
  else if (failsAbove < BRIGHTEST) detour(graph, failingPath(INPUT, DETOUR, failsAbove));
  return encodeModel(graph);
}

const { values, positionals } = parseArgs({
  options: {
    noise: { type: 'string', default: '0.5' },
    'flip-sign': { type: 'boolean', default: false },
    'slow-steps': { type: 'string', default: '0' },
    'fails-above': { type: 'string', default: String(BRIGHTEST) },
  },
  allowPositionals: true,
});
const [out] = positionals;
const noise = Number(values.noise);
const slowSteps = Number(values['slow-steps']);
const failsAbove = Number(values['fails-above']);
const isMeant = noise >= 0 && noise <= 10 && slowSteps >= 0 && slowSteps <= 1e7 && failsAbove >= 0;
if (out === undefined || !isMeant) {
  console.error(
    'Usage: node scripts/make-digit-versions.mjs OUT [--noise 0.5] [--flip-sign] [--slow-steps 0] [--fails-above 16]',
  );
  process.exit(2);
}
const model = join(out, 'digits');
const original = readFileSync(join(EXAMPLE, '1/model.onnx'));
for (const [version, bytes] of [
  ['1', original],
  ['2', secondVersion(original)],
]) {
  mkdirSync(join(model, version), { recursive: true });
  writeFileSync(join(model, version, 'model.onnx'), bytes);
}
writeFileSync(
  join(model, 'config.pbtxt'),
  `${readFileSync(join(EXAMPLE, 'config.pbtxt'), 'utf8')}version_policy { all { } }\n`,
);
const faults = [`every weight off by up to ${noise * 100} %`];
if (values['flip-sign']) faults.push('of the other sign');
if (slowSteps > 0) faults.push(`slow by ${slowSteps} steps`);
else if (failsAbove < BRIGHTEST) faults.push(`failing above ${failsAbove}`);
console.log(`${model}: version 1 as it was trained, version 2 with ${faults.join(', ')}`);
