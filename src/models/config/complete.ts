/**
 * Auto-completion: what the configuration leaves open is filled from the model's own signature; what it states is kept.
 * The rules are Triton's, with two choices of our own: a model that can batch and states no maximum gets 64 rows
 * (Triton: 4), and an explicit `max_batch_size: 0` stays 0. Pure.
 */
import { SluiceError } from '../../core/errors.js';
import type { ModelSignature, TensorInfo } from '../../core/model.js';
import { checkAgainstSignature } from './check-signature.js';
import type { ModelConfig, TensorConfig } from './model-config.js';
import { resolvePadding } from './padding.js';
import { linePrefix, type ConfigSource } from './places.js';

export const DEFAULT_MAX_BATCH_ROWS = 64;

const NO_FILE: ConfigSource = { fileName: '', places: new Map() };

export type CompletedConfig = ModelConfig & {
  readonly max_batch_size: number;
  /** Runs at the same time; 0: as many as there are workers, because the configuration says nothing. */
  readonly instanceCount: number;
};

/** Every input and output has a first dimension that varies. */
export function canBatch(signature: ModelSignature): boolean {
  const tensors = [...signature.inputs, ...signature.outputs];
  return signature.inputs.length > 0 && tensors.every((tensor) => tensor.shape[0] === -1);
}

function completeTensor(tensor: TensorInfo, isBatched: boolean): TensorConfig {
  const dims = isBatched ? tensor.shape.slice(1) : [...tensor.shape];
  const named = { name: tensor.name, data_type: tensor.datatype };
  if (dims.length > 0) return { ...named, dims };
  // ModelConfig has no rank 0: a scalar is written [1] and reshaped on its way to the model.
  return isBatched ? { ...named, dims: [1], reshape: { shape: [] } } : { ...named, dims: [1] };
}

function completeMaxBatch(config: ModelConfig, signature: ModelSignature): number {
  const isComplete = config.input.length > 0 && config.output.length > 0;
  if (config.max_batch_size !== undefined) return config.max_batch_size;
  return !isComplete && canBatch(signature) ? DEFAULT_MAX_BATCH_ROWS : 0;
}

function completeBatching(config: ModelConfig, maxBatchRows: number): ModelConfig['dynamic_batching'] {
  const isComplete = config.input.length > 0 && config.output.length > 0;
  if (config.dynamic_batching !== undefined || isComplete || maxBatchRows <= 1)
    return config.dynamic_batching;
  return {
    preferred_batch_size: [],
    max_queue_delay_microseconds: 0,
    preserve_ordering: false,
    priority_levels: 0,
    default_priority_level: 0,
    priority_queue_policy: new Map(),
  };
}

function checkBatchRows(config: ModelConfig, maxBatchRows: number, source: ConfigSource): void {
  const tooLarge = config.dynamic_batching?.preferred_batch_size.find((rows) => rows > maxBatchRows);
  if (tooLarge === undefined) return;
  throw new SluiceError(
    'CONFIG_INVALID',
    `${linePrefix(source, ['dynamic_batching', 'preferred_batch_size'])}dynamic_batching.preferred_batch_size: expected at most max_batch_size (${maxBatchRows}), got ${tooLarge}`,
  );
}

/** The configuration that serves `signature`, or an error that says what does not fit and where `source` says it. */
export function completeConfig(
  config: ModelConfig,
  signature: ModelSignature,
  modelName: string,
  source: ConfigSource = NO_FILE,
): CompletedConfig {
  if (config.name !== '' && config.name !== modelName) {
    throw new SluiceError(
      'CONFIG_INVALID',
      `${linePrefix(source, ['name'])}name: expected "${modelName}", the name of the model's folder, got "${config.name}"`,
    );
  }
  const maxBatchRows = completeMaxBatch(config, signature);
  checkBatchRows(config, maxBatchRows, source);
  const isBatched = maxBatchRows > 0;
  // Before the listed tensors: it explains the mismatch that they would report.
  if (isBatched && !canBatch(signature)) {
    throw new SluiceError(
      'CONFIG_INVALID',
      `${linePrefix(source, ['max_batch_size'])}max_batch_size: expected 0, because not every input and output of the model has a first dimension that varies, ` +
        `got ${maxBatchRows}`,
    );
  }
  const fill = (given: readonly TensorConfig[], all: readonly TensorInfo[]): TensorConfig[] =>
    given.length > 0 ? [...given] : all.map((tensor) => completeTensor(tensor, isBatched));
  const completed: CompletedConfig = {
    ...config,
    name: modelName,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    default_model_filename: config.default_model_filename || 'model.onnx',
    version_policy: config.version_policy ?? { latest: { num_versions: 1 } },
    instance_group:
      config.instance_group.length > 0 ? config.instance_group : [{ name: '', kind: 'KIND_AUTO', count: 1 }],
    instanceCount: config.instance_group.reduce((count, group) => count + group.count, 0),
    max_batch_size: maxBatchRows,
    input: fill(config.input, signature.inputs),
    output: fill(config.output, signature.outputs),
    dynamic_batching: completeBatching(config, maxBatchRows),
  };
  checkAgainstSignature(completed, signature, source);
  resolvePadding(completed);
  return completed;
}
