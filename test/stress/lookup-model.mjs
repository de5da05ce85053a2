/**
 * A version that looks its answer up in external data, which ONNX Runtime maps from a file: ROW = table[ID], where
 * table[i][j] = 1000 version + i + j / 8, exact in FP32. The kind of model that sees every change of its file.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  constant,
  externalConstant,
  model,
  node,
  rawBytes,
  value,
} from '../../scripts/models/graph-builder.mjs';

const WIDTH = 8;
export const CONFIG = 'max_batch_size: 8\n';

export function truth(version, id) {
  return Array.from({ length: WIDTH }, (_, j) => 1000 * version + id + j / 8);
}

function filesOf(version, rows) {
  const table = new Float32Array(rows * WIDTH);
  for (let i = 0; i < table.length; i += 1)
    table[i] = 1000 * version + Math.floor(i / WIDTH) + (i % WIDTH) / 8;
  const weights = rawBytes('FP32', table);
  const graph = model('lookup', {
    inputs: [value('ID', 'INT64', ['batch', 1])],
    outputs: [value('ROW', 'FP32', ['batch', WIDTH])],
    nodes: [
      node('Gather', ['table', 'ID'], ['rows'], { axis: 0 }),
      node('Squeeze', ['rows', 'axis'], ['ROW']),
    ],
    constants: [
      externalConstant('table', 'FP32', [rows, WIDTH], {
        location: 'weights.bin',
        offset: 0,
        length: weights.length,
      }),
      constant('axis', 'INT64', [1], [1]),
    ],
  });
  return { 'model.onnx': Buffer.from(graph), 'weights.bin': weights };
}

/** Published by one rename, with a manifest where asked for. */
export function publishLookup(repository, name, version, { rows = 100_000, hasManifest = true } = {}) {
  const aside = join(repository, `.${name}-${version}`);
  const place = join(repository, name, String(version));
  const files = filesOf(version, rows);
  mkdirSync(aside, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(aside, file), content);
  if (hasManifest) {
    const hashes = Object.entries(files).map(([file, content]) => [
      file,
      createHash('sha256').update(content).digest('hex'),
    ]);
    writeFileSync(join(aside, 'manifest.json'), JSON.stringify({ files: Object.fromEntries(hashes) }));
  }
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(join(dirname(place), 'config.pbtxt'), CONFIG);
  renameSync(aside, place);
  return place;
}

/** Whether the model answers `version`'s rows; the version that it names counts where none is given. */
export async function answersRight(server, name, version) {
  const ids = [0, 77, 9999];
  const reply = await fetch(`http://127.0.0.1:${server.port}/v2/models/${name}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'ID', datatype: 'INT64', shape: [3, 1], data: ids }] }),
  });
  const body = await reply.json();
  if (reply.status !== 200)
    return { status: reply.status, isRight: false, version: undefined, error: body.error };
  const named = Number(body.model_version);
  // A number in JSON has as many digits as tell it from other FP32 numbers, which may not be all of its digits.
  const wanted = ids.flatMap((id) => truth(version ?? named, id));
  return {
    status: 200,
    version: named,
    isRight: wanted.every((x, i) => x === Math.fround(body.outputs[0].data[i])),
  };
}
