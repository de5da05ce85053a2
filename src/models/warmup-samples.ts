/**
 * `model_warmup`: the samples that a configuration asks to run before a version serves. Each is asked as ordinary requests;
 * one that fails refuses the version.
 */
import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../core/errors.js';
import type { ServePlan } from '../core/model.js';
import type { WarmupInput, WarmupSample } from './config/warmup.js';
import { writeRequest, type GoldenTensor } from './golden/wire.js';
import type { LoadOrder } from './load-order.js';
import type { MemoryAdmission } from './memory-admission.js';
import type { ModelLoader } from './ports.js';
import { elementBytes, queueBytesOf } from './warm-up-memory.js';

export interface WarmupTools {
  readonly loader: Pick<ModelLoader, 'ask'>;
  readonly memory?: Pick<MemoryAdmission, 'take'>;
}

function refuse(sample: WarmupSample, message: string): never {
  throw new SluiceError('MODEL_INVALID', `model_warmup "${sample.name}": ${message}`);
}

function sizeOf({ datatype, dims }: WarmupInput): number {
  return dims.reduce((product, dim) => product * dim, elementBytes(datatype));
}

/** Each request is held once as it was written, and once more in its batch. */
const COPIES = 2;

/** Room for the requests of one turn; answers what ends the reservation. */
function reserve(tools: WarmupTools, plan: ServePlan, sample: WarmupSample): () => void {
  const size = [...sample.inputs.values()].reduce((sum, input) => sum + sizeOf(input), 0);
  const whole = size * sample.batchSize;
  const most = queueBytesOf(plan);
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  if (whole > most)
    refuse(
      sample,
      `expected inputs of at most ${mebibytes(most)} (sluice.max_queue_bytes), got ${mebibytes(whole)}`,
    );
  const needed = whole * COPIES;
  return (
    tools.memory?.take(needed, needed, ` for model_warmup "${sample.name}"`).release ?? (() => undefined)
  );
}

async function bytesFor(
  sample: WarmupSample,
  name: string,
  input: WarmupInput,
  modelDirectory: string | undefined,
): Promise<Uint8Array> {
  const size = sizeOf(input);
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

async function runSample(
  { loader }: WarmupTools,
  handle: number,
  plan: ServePlan,
  sample: WarmupSample,
  modelDirectory: string | undefined,
): Promise<void> {
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

/** Runs every sample as often as it says; throws where one fails. */
export async function runWarmup(
  tools: WarmupTools,
  { found, read }: LoadOrder,
  handle: number,
  plan: ServePlan,
): Promise<void> {
  for (const sample of read.config.model_warmup) {
    if (sample.batchSize === 0) continue;
    const isMask = (name: string): boolean => plan.padding.some(({ mask }) => mask?.name === name);
    const missing = plan.inputs.find(({ name }) => !sample.inputs.has(name) && !isMask(name));
    if (missing !== undefined) refuse(sample, `expected all inputs of the model, missing "${missing.name}"`);
    const release = reserve(tools, plan, sample);
    try {
      await runSample(tools, handle, plan, sample, found.modelDirectory);
    } finally {
      release();
    }
  }
}
