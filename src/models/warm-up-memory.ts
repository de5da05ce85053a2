/** What the tensors of a version's first runs take. Pure. */
import { DATA_TYPES } from '../core/data-types.js';
import type { ServePlan, TensorPlan } from '../core/model.js';

/** What the engine takes where a plan says nothing of `maxQueueBytes`. */
const USUAL_QUEUE_BYTES = 256 * 1024 ** 2;
/** A text without characters is its length alone. */
const EMPTY_TEXT_BYTES = 4;

export function queueBytesOf(plan: ServePlan): number {
  return plan.maxQueueBytes > 0 ? plan.maxQueueBytes : USUAL_QUEUE_BYTES;
}

export function elementBytes(datatype: TensorPlan['datatype']): number {
  return datatype === 'BYTES' ? EMPTY_TEXT_BYTES : DATA_TYPES[datatype].bytes;
}

/** Inputs and outputs of one row: with padding rules at the longest length, else a dimension that varies counts as 1. */
export function rowBytes(plan: ServePlan): number {
  const longest = Math.max(1, ...plan.padding.flatMap(({ lengths }) => lengths));
  const bytesOf = ({ datatype, modelDims }: TensorPlan): number =>
    modelDims.reduce((product, dim) => product * (dim < 0 ? longest : dim), elementBytes(datatype));
  return [...plan.inputs, ...plan.outputs].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
}

/** What warm-up may take: one row, and as many as the queue would ever bring together, up to a full batch. */
export function warmUpBytes(plan: ServePlan): { readonly least: number; readonly most: number } {
  const least = Math.max(rowBytes(plan), 1);
  const full = least * Math.max(plan.maxBatchRows, 1);
  return { least, most: Math.max(least, Math.min(full, queueBytesOf(plan))) };
}
