/**
 * The digit model with versions that differ in a known way: the weights of its matrices multiplied by a factor, inside the
 * bytes of the file, so that nothing else changes. And requests for it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConstants } from './onnx-constants.js';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

/** The model file with every matrix multiplied by `factor`. */
export function scaledDigits(factor: number): Buffer {
  const file = readFileSync(join(EXAMPLES, 'models/digits/1/model.onnx'));
  let changed = 0;
  for (const { dims, floats } of readConstants(file).values()) {
    if (dims.length !== 2) continue;
    const at = file.indexOf(Buffer.from(floats.buffer));
    if (at < 0) throw new Error('expected the weights of the digit model in its file');
    Buffer.from(floats.map((weight) => weight * factor).buffer).copy(file, at);
    changed += 1;
  }
  if (changed === 0) throw new Error('expected matrices in the digit model');
  return file;
}

/** A repository with the model `digits`: one version for each factor, from version 1 on. */
export function digitsRepository(folder: string, factors: readonly number[]): string {
  const repository = join(folder, 'models');
  factors.forEach((factor, index) => {
    const version = join(repository, 'digits', String(index + 1));
    mkdirSync(version, { recursive: true });
    writeFileSync(join(version, 'model.onnx'), scaledDigits(factor));
  });
  const config = readFileSync(join(EXAMPLES, 'models/digits/config.pbtxt'), 'utf8');
  writeFileSync(join(repository, 'digits', 'config.pbtxt'), `${config}\nversion_policy { all { } }\n`);
  return repository;
}

/** The pixels of the held-out images. */
export function heldOutPixels(): readonly (readonly number[])[] {
  const text = readFileSync(join(EXAMPLES, 'held-out-digits.json'), 'utf8');
  return (JSON.parse(text) as { readonly pixels: number[][] }).pixels;
}
