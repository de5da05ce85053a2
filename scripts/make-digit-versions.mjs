#!/usr/bin/env node
/**
 * A repository with two versions of the digit classifier, to practise roll-outs on: version 1 is examples/models/digits as it
 * is, version 2 the same network after a bad export: every weight is off by a little. Its answers look right, and are worse.
 *   node scripts/make-digit-versions.mjs OUT [--noise 0.5]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeModel, encodeModel } from './models/onnx-schema.mjs';
import { seededRandom } from './models/random.mjs';

const EXAMPLE = fileURLToPath(new URL('../examples/models/digits', import.meta.url));
const SEED = 20;

/** Each weight times a number of 1 - noise to 1 + noise. */
function worsen(bytes, noise) {
  const graph = decodeModel(bytes);
  const next = seededRandom(SEED);
  for (const tensor of graph.initializer) {
    if (!tensor.name.startsWith('W')) continue;
    const weights = new Float32Array(Uint8Array.from(tensor.rawData).buffer);
    for (let index = 0; index < weights.length; index += 1) weights[index] *= 1 + (2 * next() - 1) * noise;
    tensor.rawData = Buffer.from(weights.buffer);
  }
  return encodeModel(graph);
}

const { values, positionals } = parseArgs({
  options: { noise: { type: 'string', default: '0.5' } },
  allowPositionals: true,
});
const [out] = positionals;
const noise = Number(values.noise);
if (out === undefined || !(noise >= 0 && noise <= 10)) {
  console.error('Usage: node scripts/make-digit-versions.mjs OUT [--noise 0.5]');
  process.exit(2);
}
const model = join(out, 'digits');
const original = readFileSync(join(EXAMPLE, '1/model.onnx'));
for (const [version, bytes] of [
  ['1', original],
  ['2', worsen(original, noise)],
]) {
  mkdirSync(join(model, version), { recursive: true });
  writeFileSync(join(model, version, 'model.onnx'), bytes);
}
writeFileSync(
  join(model, 'config.pbtxt'),
  `${readFileSync(join(EXAMPLE, 'config.pbtxt'), 'utf8')}version_policy { all { } }\n`,
);
console.log(
  `${model}: version 1 as it was trained, version 2 with every weight off by up to ${noise * 100} %`,
);
