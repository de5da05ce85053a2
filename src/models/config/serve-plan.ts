/**
 * Turns a completed configuration into what the engine wants (ServePlan) and what clients are told (metadata). Pure.
 */
import type { ModelSignature, QueuePolicy, ServePlan, TensorInfo, TensorPlan } from '../../core/model.js';
import type { CompletedConfig } from './complete.js';
import type { TensorConfig } from './model-config.js';
import { resolvePadding } from './padding.js';

function planTensor(tensor: TensorConfig, rankInModel: number): TensorPlan {
  // A scalar of a model that does not batch is [1] on the wire and has no dimensions in the model.
  const modelDims = rankInModel === 0 ? [] : (tensor.reshape?.shape ?? tensor.dims);
  return { name: tensor.name, datatype: tensor.data_type, dims: tensor.dims, modelDims };
}

/** One policy for each level, or none at all. */
function planPolicies(batching: CompletedConfig['dynamic_batching']): QueuePolicy[] {
  const {
    default_queue_policy: common,
    priority_queue_policy: byLevel,
    priority_levels: levels,
  } = batching ?? {};
  if (common === undefined && (byLevel?.size ?? 0) === 0) return [];
  return Array.from({ length: Math.max(levels ?? 0, 1) }, (_, index) => {
    const policy = byLevel?.get(String(index + 1)) ?? common;
    return {
      timeoutUs: policy?.default_timeout_microseconds ?? 0,
      mayOverride: policy?.allow_timeout_override ?? false,
      delays: policy?.timeout_action === 'DELAY',
      maxRequests: policy?.max_queue_size ?? 0,
    };
  });
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
    instanceCount: config.instanceCount,
    keepsOrder: config.dynamic_batching?.preserve_ordering ?? false,
    priorityLevels: Math.max(config.dynamic_batching?.priority_levels ?? 0, 1),
    defaultPriority: Math.max(config.dynamic_batching?.default_priority_level ?? 0, 1),
    queuePolicies: planPolicies(config.dynamic_batching),
    maySplit: config.maySplit,
    weight: config.weight,
    maxQueueBytes: config.maxQueueBytes,
    padding: resolvePadding(config),
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
