/**
 * Turns a completed configuration into what the engine wants (ServePlan) and what clients are told (metadata). Pure.
 */
import type { ModelSignature, ServePlan, TensorInfo, TensorPlan } from '../../core/model.js';
import type { CompletedConfig } from './complete.js';
import type { TensorConfig } from './model-config.js';

function planTensor(tensor: TensorConfig, rankInModel: number): TensorPlan {
  // A scalar of a model that does not batch is [1] on the wire and has no dimensions in the model.
  const modelDims = rankInModel === 0 ? [] : (tensor.reshape?.shape ?? tensor.dims);
  return { name: tensor.name, datatype: tensor.data_type, dims: tensor.dims, modelDims };
}

export function makeServePlan(
  config: CompletedConfig,
  signature: ModelSignature,
  versionName: string,
): ServePlan {
  const rankOf = (tensors: readonly TensorInfo[], name: string): number =>
    tensors.find((tensor) => tensor.name === name)?.shape.length ?? -1;
  return {
    modelName: config.name,
    versionName,
    maxBatchRows: config.max_batch_size,
    inputs: config.input.map((tensor) => planTensor(tensor, rankOf(signature.inputs, tensor.name))),
    outputs: config.output.map((tensor) => planTensor(tensor, rankOf(signature.outputs, tensor.name))),
    isBatching: config.dynamic_batching !== undefined && config.max_batch_size > 1,
    maxQueueDelayUs: config.dynamic_batching?.max_queue_delay_microseconds ?? 0,
    preferredBatchRows: config.dynamic_batching?.preferred_batch_size ?? [],
    instanceCount: config.instance_group.reduce((count, group) => count + group.count, 0),
    execution: config.execution,
    deadlineMs: config.deadlineMs,
  };
}

/** Shapes as the V2 metadata states them. */
export function makeMetadata(plan: ServePlan): ModelSignature {
  const batchDim = plan.maxBatchRows > 0 ? [-1] : [];
  const describe = (tensor: TensorPlan): TensorInfo => ({
    name: tensor.name,
    datatype: tensor.datatype,
    shape: [...batchDim, ...tensor.dims],
  });
  return { inputs: plan.inputs.map(describe), outputs: plan.outputs.map(describe) };
}

/** Execution providers in order of preference; the CPU always comes last. */
export function providersOf(config: {
  readonly instance_group: readonly { readonly kind: string }[];
}): string[] {
  return config.instance_group.some((group) => group.kind === 'KIND_GPU') ? ['cuda'] : [];
}
