/** Writes a completed configuration as config.pbtxt, for people to start from. Pure. */
import { DATA_TYPES } from '../core/data-types.js';
import type { CompletedConfig } from '../models/config/complete.js';

type TensorConfig = CompletedConfig['input'][number];

function list(numbers: readonly number[]): string {
  return numbers.length === 0 ? '[ ]' : `[ ${numbers.join(', ')} ]`;
}

function tensorText(tensor: TensorConfig): string {
  const fields = [
    `name: ${JSON.stringify(tensor.name)}`,
    `data_type: ${DATA_TYPES[tensor.data_type].configName}`,
    `dims: ${list(tensor.dims)}`,
  ];
  if (tensor.reshape !== undefined) fields.push(`reshape { shape: ${list(tensor.reshape.shape)} }`);
  return `  { ${fields.join(', ')} }`;
}

function side(name: string, tensors: readonly TensorConfig[]): string[] {
  return [`${name} [`, tensors.map(tensorText).join(',\n'), ']'];
}

export function configText(config: CompletedConfig): string {
  const lines = [
    `name: ${JSON.stringify(config.name)}`,
    'backend: "onnxruntime"',
    `max_batch_size: ${config.max_batch_size}`,
    ...side('input', config.input),
    ...side('output', config.output),
  ];
  if (config.dynamic_batching !== undefined) {
    lines.push(
      `dynamic_batching { max_queue_delay_microseconds: ${config.dynamic_batching.max_queue_delay_microseconds} }`,
    );
  }
  if (config.padding.length > 0) {
    // Between quotes that JSON has not.
    const text = JSON.stringify(config.padding).replaceAll('\\', '\\\\').replaceAll("'", "\\'");
    lines.push(`parameters { key: "sluice.padding" value { string_value: '${text}' } }`);
  }
  if (config.instanceCount > 0) lines.push(`instance_group [ { count: ${config.instanceCount} } ]`);
  return `${lines.join('\n')}\n`;
}
