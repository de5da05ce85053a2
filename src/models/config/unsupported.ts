/**
 * What is legal in a Triton ModelConfig and not served by Sluice: refused by name where ignoring it would change answers
 * or promises, otherwise listed as ignored. Works on the raw configuration. Pure.
 */
import { SluiceError } from '../../core/errors.js';
import type { RawConfig } from './pbtxt.js';
import { RUNTIME_PARAMETERS } from './runtime-parameters.js';

const REFUSED_FIELDS = [
  'ensemble_scheduling',
  'sequence_batching',
  'batch_input',
  'batch_output',
  'model_operations',
  'model_repository_agents',
];
const REFUSED_TENSOR_FLAGS = ['is_shape_tensor', 'allow_ragged_batch', 'is_non_linear_format_io'];
const REFUSED_GROUP_FIELDS = ['gpus', 'profile', 'passive', 'secondary_devices'];
const IGNORED_FIELDS = ['runtime', 'cc_model_filenames', 'metric_tags', 'optimization', 'model_metrics'];

function nested(raw: RawConfig, name: string): RawConfig {
  return (raw[name] ?? {}) as RawConfig;
}

function list(raw: RawConfig, name: string): RawConfig[] {
  return (raw[name] ?? []) as RawConfig[];
}

/** Given, and not merely given as off or empty. */
function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value !== undefined && value !== false && value !== 0;
}

function refuse(fileName: string, field: string, instead: string): never {
  throw new SluiceError('CONFIG_INVALID', `${fileName} ${field}: ${instead}`);
}

function refuseForeignBackend(raw: RawConfig, fileName: string): void {
  const { platform = '', backend = '' } = raw;
  if (platform !== '' && platform !== 'onnxruntime_onnx') {
    refuse(
      fileName,
      'platform',
      `expected "onnxruntime_onnx", got "${String(platform)}", which is not served`,
    );
  }
  if (backend !== '' && backend !== 'onnxruntime') {
    refuse(fileName, 'backend', `expected "onnxruntime", got "${String(backend)}", which is not served`);
  }
}

/** Only an input that the server can make may be left out. */
export function refuseOptional(raw: RawConfig, masks: ReadonlySet<string>, fileName: string): void {
  list(raw, 'input').forEach((tensor, index) => {
    if (!isGiven(tensor['optional']) || masks.has(String(tensor['name']))) return;
    refuse(
      fileName,
      `input[${index}].optional`,
      'expected false for an input that is no mask of sluice.padding',
    );
  });
}

export function refuseUnsupported(raw: RawConfig, fileName: string): void {
  const notServed = 'Triton knows this field, Sluice does not serve it';
  for (const field of REFUSED_FIELDS) if (isGiven(raw[field])) refuse(fileName, field, notServed);
  refuseForeignBackend(raw, fileName);
  if (isGiven(nested(raw, 'model_transaction_policy')['decoupled'])) {
    refuse(fileName, 'model_transaction_policy.decoupled', 'decoupled models are not served');
  }
  if (isGiven(nested(raw, 'response_cache')['enable'])) {
    refuse(fileName, 'response_cache', 'there is no response cache');
  }
  for (const side of ['input', 'output']) {
    list(raw, side).forEach((tensor, index) => {
      const flag = REFUSED_TENSOR_FLAGS.find((name) => isGiven(tensor[name]));
      if (flag !== undefined) refuse(fileName, `${side}[${index}].${flag}`, notServed);
    });
  }
  list(raw, 'instance_group').forEach((group, index) => {
    const field = REFUSED_GROUP_FIELDS.find((name) => isGiven(group[name]));
    if (field !== undefined) refuse(fileName, `instance_group[${index}].${field}`, notServed);
    if (group['kind'] === 'KIND_MODEL')
      refuse(fileName, `instance_group[${index}].kind`, 'KIND_MODEL is not served');
  });
}

export function ignoredFields(raw: RawConfig, fileName: string): string[] {
  const ignored = IGNORED_FIELDS.filter((field) => isGiven(raw[field]));
  if (list(raw, 'output').some((tensor) => isGiven(tensor['label_filename'])))
    ignored.push('output.label_filename');
  for (const name of ['rate_limiter', 'host_policy']) {
    if (list(raw, 'instance_group').some((group) => isGiven(group[name])))
      ignored.push(`instance_group.${name}`);
  }
  const parameters = (raw['parameters'] ?? new Map()) as Map<string, unknown>;
  for (const key of parameters.keys()) {
    if (!RUNTIME_PARAMETERS.includes(key) && !key.startsWith('sluice.')) ignored.push(`parameters["${key}"]`);
  }
  return ignored.map((field) => `${fileName} ${field}: ignored`);
}
