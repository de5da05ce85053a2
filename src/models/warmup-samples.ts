/**
 * `model_warmup`: the samples that a configuration asks to run before a version serves. Each is asked as ordinary requests;
 * one that fails refuses the version.
 */
import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DATA_TYPES } from '../core/data-types.js';
import { SluiceError } from '../core/errors.js';
import type { ServePlan } from '../core/model.js';
import type { WarmupInput, WarmupSample } from './config/warmup.js';
import { writeRequest, type GoldenTensor } from './golden/wire.js';
import type { ModelLoader } from './ports.js';

function refuse(sample: WarmupSample, message: string): never {
  throw new SluiceError('MODEL_INVALID', `model_warmup "${sample.name}": ${message}`);
}

function elementsOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

async function bytesFor(
  sample: WarmupSample,
  name: string,
  input: WarmupInput,
  modelDirectory: string | undefined,
): Promise<Uint8Array> {
  const elements = elementsOf(input.dims);
  const size = input.datatype === 'BYTES' ? elements * 4 : elements * DATA_TYPES[input.datatype].bytes;
  if (input.file !== undefined) {
    const path = join(modelDirectory ?? '', 'warmup', input.file);
    const bytes = await readFile(path).catch(() =>
      refuse(sample, `input "${name}": warmup/${input.file} is not there`),
    );
    if (bytes.byteLength < size)
      refuse(
        sample,
        `input "${name}": expected ${size} bytes in warmup/${input.file}, got ${bytes.byteLength}`,
      );
    return input.datatype === 'BYTES' ? bytes : bytes.subarray(0, size);
  }
  const bytes = new Uint8Array(size);
  // Random bits of floats may be NaN, random text has no length: zeros, as Triton does for strings.
  if (input.isRandom && input.datatype !== 'BYTES') fillRandom(input, bytes);
  return bytes;
}

function fillRandom(input: WarmupInput, bytes: Uint8Array): void {
  if (input.datatype === 'FP32')
    new Float32Array(bytes.buffer).forEach((_, index, all) => (all[index] = Math.random()));
  else if (input.datatype === 'FP64')
    new Float64Array(bytes.buffer).forEach((_, index, all) => (all[index] = Math.random()));
  else if (input.datatype === 'BOOL') bytes.forEach((_, index) => (bytes[index] = index % 2));
  else if (input.datatype !== 'FP16' && input.datatype !== 'BF16') randomFillSync(bytes);
}

/** Runs every sample as often as it says; throws where one fails. */
export async function runWarmup(
  loader: Pick<ModelLoader, 'ask'>,
  handle: number,
  plan: ServePlan,
  samples: readonly WarmupSample[],
  modelDirectory: string | undefined,
): Promise<void> {
  for (const sample of samples) {
    if (sample.batchSize === 0) continue;
    const isMask = (name: string): boolean => plan.padding.some(({ mask }) => mask?.name === name);
    const missing = plan.inputs.find(({ name }) => !sample.inputs.has(name) && !isMask(name));
    if (missing !== undefined) refuse(sample, `expected all inputs of the model, missing "${missing.name}"`);
    const tensors: GoldenTensor[] = [];
    for (const [name, input] of sample.inputs) {
      const shape = plan.maxBatchRows > 0 ? [1, ...input.dims] : [...input.dims];
      const bytes = await bytesFor(sample, name, input, modelDirectory);
      tensors.push({ name, datatype: input.datatype, shape, bytes });
    }
    const request = writeRequest(tensors);
    for (let count = 0; count < Math.max(sample.count, 1); count += 1) {
      // Requests of one turn share a batch.
      const answers = await Promise.all(
        Array.from({ length: sample.batchSize }, () => loader.ask(handle, request.headLength, request.bytes)),
      );
      const failed = answers.find(({ status }) => status !== 0);
      if (failed !== undefined) refuse(sample, Buffer.from(failed.bytes).toString('utf8'));
    }
  }
}
