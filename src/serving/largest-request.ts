/**
 * How long the longest request of a model can be, so that a client is not let send what no model takes. Pure.
 */
import { DATA_TYPES } from '../core/data-types.js';
import type { ServePlan } from '../core/model.js';
import type { ModelEntry } from '../core/snapshot.js';

/** Bytes of all inputs of a full batch of the largest version; Infinity where a dimension varies or a string may be any. */
export function largestRequestBytes(model: ModelEntry): number {
  let largest = 0;
  for (const version of model.versions.values()) {
    if (version.state === 'READY' && version.plan !== undefined)
      largest = Math.max(largest, planBytes(version.plan));
  }
  return largest;
}

function planBytes(plan: ServePlan): number {
  let bytes = 0;
  for (const input of plan.inputs) {
    const elementBytes = DATA_TYPES[input.datatype].bytes;
    if (elementBytes === 0 || input.dims.some((dim) => dim < 0)) return Infinity;
    bytes += input.dims.reduce((product, dim) => product * dim, elementBytes);
  }
  return bytes * Math.max(1, plan.maxBatchRows);
}
