/**
 * Compares a completed configuration with what the model file says of itself. Messages have the form: tensor, what was
 * expected, what came. Pure.
 */
import { SluiceError } from '../../core/errors.js';
import type { ModelSignature, TensorInfo } from '../../core/model.js';
import { didYouMean } from '../../core/nearest.js';
import type { TensorConfig } from './model-config.js';
import { linePrefix, type ConfigSource } from './places.js';

interface Checked {
  readonly max_batch_size: number;
  readonly input: readonly TensorConfig[];
  readonly output: readonly TensorConfig[];
}

function invalid(message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', message);
}

function shown(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

function product(dims: readonly number[]): number {
  return dims.reduce((elements, dim) => elements * dim, 1);
}

/** Products of the fixed dimensions between the varying ones: what a reshape must keep, one by one. */
function fixedRuns(dims: readonly number[]): number[] {
  const runs = [1];
  for (const dim of dims) {
    if (dim === -1) runs.push(1);
    else runs.push((runs.pop() ?? 1) * dim);
  }
  return runs;
}

function checkReshape(place: string, tensor: TensorConfig, isBatched: boolean): void {
  const shape = tensor.reshape?.shape;
  if (shape === undefined) return;
  const where = `${place}tensor "${tensor.name}" reshape`;
  if (shape.length === 0) {
    if (!isBatched)
      throw invalid(`${where}: expected a shape, because max_batch_size is 0, got an empty one`);
    if (product(tensor.dims) !== 1) {
      throw invalid(`${where}: expected one element for an empty shape, got dims ${shown(tensor.dims)}`);
    }
    return;
  }
  const wanted = fixedRuns(tensor.dims);
  const got = fixedRuns(shape);
  if (wanted.length !== got.length || wanted.some((elements, index) => elements !== got[index])) {
    throw invalid(
      `${where}: expected the same elements and as many -1 as dims ${shown(tensor.dims)}, got ${shown(shape)}`,
    );
  }
}

/** `place` begins every message. */
function checkTensor(place: string, tensor: TensorConfig, model: TensorInfo, isBatched: boolean): void {
  const where = `${place}tensor "${tensor.name}"`;
  if (tensor.data_type !== model.datatype) {
    throw invalid(`${where}: expected data type ${model.datatype} as in the model, got ${tensor.data_type}`);
  }
  checkReshape(place, tensor, isBatched);
  const wanted = isBatched ? model.shape.slice(1) : model.shape;
  if (!isBatched && wanted.length === 0) {
    if (product(tensor.dims) === 1) return;
    throw invalid(
      `${where}: expected dims [1], because it is a scalar in the model, got ${shown(tensor.dims)}`,
    );
  }
  const got = tensor.reshape?.shape ?? tensor.dims;
  const fits = wanted.length === got.length && wanted.every((dim, index) => dim === -1 || dim === got[index]);
  if (fits) return;
  const after = isBatched ? ' after the batch dimension' : '';
  const hint = wanted.length === 0 ? ' (write reshape { shape: [ ] })' : '';
  throw invalid(`${where}: expected dims ${shown(wanted)} as in the model${after}, got ${shown(got)}${hint}`);
}

/** The model's tensors in the order of those that are listed. */
function checkSide(
  side: 'input' | 'output',
  listed: readonly TensorConfig[],
  model: readonly TensorInfo[],
  source: ConfigSource,
): TensorInfo[] {
  return listed.map((tensor, index) => {
    const found = model.find((candidate) => candidate.name === tensor.name);
    if (found !== undefined) return found;
    const names = model.map((candidate) => candidate.name);
    const hint = didYouMean(tensor.name, names);
    throw invalid(
      `${linePrefix(source, [side, index, 'name'])}${side} "${tensor.name}": ` +
        `expected an ${side} of the model (${names.join(', ')})${hint}`,
    );
  });
}

export function checkAgainstSignature(
  config: Checked,
  signature: ModelSignature,
  source: ConfigSource,
): void {
  const isBatched = config.max_batch_size > 0;
  const inputs = checkSide('input', config.input, signature.inputs, source);
  const missing = signature.inputs
    .filter((tensor) => !inputs.includes(tensor))
    .map((tensor) => `"${tensor.name}"`);
  if (missing.length > 0) {
    throw invalid(
      `${linePrefix(source, ['input'])}input: ` +
        `expected all ${signature.inputs.length} inputs of the model, missing ${missing.join(', ')}`,
    );
  }
  const outputs = checkSide('output', config.output, signature.outputs, source);
  const check = (side: 'input' | 'output', found: readonly TensorInfo[]): void => {
    found.forEach((model, index) => {
      const tensor = config[side][index];
      if (tensor !== undefined) checkTensor(linePrefix(source, [side, index]), tensor, model, isBatched);
    });
  };
  check('input', inputs);
  check('output', outputs);
}
