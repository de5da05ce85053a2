/**
 * What is legal in a Triton ModelConfig and not served by Sluice: refused by name where ignoring it would change answers
 * or promises, otherwise noted as ignored. The table of docs/model-repository.md says the same to people. Works on the raw
 * configuration. Pure.
 */
import { SluiceError } from '../../core/errors.js';
import type { RawConfig } from './pbtxt.js';
import { whereIn, type ConfigSource, type FieldPath } from './places.js';
import { RUNTIME_PARAMETERS } from './runtime-parameters.js';

/** By path, where `*` is any place of a list; the first that is given is told. */
const REFUSED: ReadonlyArray<readonly [path: string, why: string]> = [
  ['ensemble_scheduling', 'ensembles are not served'],
  ['sequence_batching', 'models that keep state between requests are not served'],
  ['batch_input', 'ragged batches are not served'],
  ['batch_output', 'ragged batches are not served'],
  ['model_operations.op_library_filename', 'libraries of custom operators are not loaded'],
  ['model_repository_agents.agents', 'repository agents are not run'],
  ['model_transaction_policy.decoupled', 'models with many answers to a request are not served'],
  ['input.*.is_shape_tensor', 'shape tensors belong to TensorRT, which is not served'],
  ['input.*.is_non_linear_format_io', 'this format belongs to TensorRT, which is not served'],
  ['input.*.allow_ragged_batch', 'ragged batches are not served'],
  ['output.*.is_shape_tensor', 'shape tensors belong to TensorRT, which is not served'],
  ['output.*.is_non_linear_format_io', 'this format belongs to TensorRT, which is not served'],
  ['instance_group.*.profile', 'profiles belong to TensorRT, which is not served'],
  ['instance_group.*.passive', 'passive instances are not made'],
  ['instance_group.*.secondary_devices', 'secondary devices are not used'],
];

const IGNORED: ReadonlyArray<readonly [path: string, why: string]> = [
  ['runtime', 'the runtime is that of --onnxruntime'],
  ['cc_model_filenames', 'the file is that of default_model_filename on every device'],
  ['metric_tags', 'metrics have the labels of docs/metrics.md'],
  ['model_metrics', 'histograms have the buckets of docs/metrics.md'],
  ['response_cache.enable', 'there is no response cache, every request is run'],
  ['output.*.label_filename', 'the classification extension is not offered'],
  ['instance_group.*.rate_limiter', 'runs share the workers by sluice.weight'],
  ['instance_group.*.host_policy', 'workers stay on the CPUs of --worker-cpus'],
  ['optimization.cuda', 'it is about TensorRT, which is not served'],
  ['optimization.execution_accelerators', 'the model runs without them'],
  ['optimization.gather_kernel_buffer_threshold', 'rows are copied when the batch is formed'],
];

const ACCELERATORS: Readonly<Record<string, readonly string[]>> = {
  gpu_execution_accelerator: ['tensorrt', 'cuda'],
  cpu_execution_accelerator: ['openvino'],
};

/** Given, and not merely given as off or empty. */
function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value !== undefined && value !== false && value !== 0;
}

/** Every path of the raw configuration that fits and is given. */
function given(value: unknown, steps: readonly string[], path: FieldPath = []): FieldPath[] {
  const [step, ...others] = steps;
  if (step === undefined) return isGiven(value) ? [path] : [];
  if (value === undefined) return [];
  if (step !== '*') return given((value as RawConfig)[step], others, [...path, step]);
  return (value as unknown[]).flatMap((item, index) => given(item, others, [...path, index]));
}

function refuse(source: ConfigSource, path: FieldPath, why: string): never {
  throw new SluiceError('CONFIG_INVALID', `${whereIn(source, path)}: ${why}`);
}

function refuseForeignBackend(raw: RawConfig, source: ConfigSource): void {
  for (const [field, served] of [
    ['platform', 'onnxruntime_onnx'],
    ['backend', 'onnxruntime'],
  ] as const) {
    const got = raw[field] ?? '';
    if (got !== '' && got !== served)
      refuse(source, [field], `expected "${served}", got ${JSON.stringify(got)}, which is not served`);
  }
}

/** Only an input that the server can make may be left out. */
export function refuseOptional(raw: RawConfig, masks: ReadonlySet<string>, source: ConfigSource): void {
  for (const path of given(raw, ['input', '*', 'optional'])) {
    const tensor = (raw['input'] as RawConfig[])[path[1] as number];
    if (!masks.has(String(tensor?.['name'])))
      refuse(source, path, 'expected false for an input that is no mask of sluice.padding');
  }
}

function refuseForeignGroups(raw: RawConfig, source: ConfigSource): void {
  ((raw['instance_group'] ?? []) as RawConfig[]).forEach(({ kind, gpus }, index) => {
    const path = ['instance_group', index];
    if (kind === 'KIND_MODEL') refuse(source, [...path, 'kind'], 'KIND_MODEL is not served');
    if (!isGiven(gpus)) return;
    const devices = gpus as number[];
    if (kind === 'KIND_CPU') refuse(source, [...path, 'gpus'], 'expected none with KIND_CPU');
    if (devices.some((device) => device !== 0))
      refuse(
        source,
        [...path, 'gpus'],
        `expected GPU 0, the only one that is used, got ${devices.join(', ')}`,
      );
  });
}

function refuseUnknownAccelerators(raw: RawConfig, source: ConfigSource): void {
  const field = 'execution_accelerators';
  const groups = ((raw['optimization'] ?? {}) as RawConfig)[field] as RawConfig | undefined;
  for (const [side, known] of Object.entries(ACCELERATORS)) {
    ((groups?.[side] ?? []) as RawConfig[]).forEach(({ name = '' }, index) => {
      const path = ['optimization', field, side, index, 'name'];
      if (!known.includes(name as string))
        refuse(source, path, `expected ${known.join(' or ')}, got ${JSON.stringify(name)}`);
    });
  }
}

export function refuseUnsupported(raw: RawConfig, source: ConfigSource): void {
  refuseForeignBackend(raw, source);
  for (const [pattern, why] of REFUSED) {
    const [path] = given(raw, pattern.split('.'));
    if (path !== undefined) refuse(source, path, why);
  }
  refuseForeignGroups(raw, source);
  refuseUnknownAccelerators(raw, source);
}

export function ignoredFields(raw: RawConfig, source: ConfigSource): string[] {
  const told = IGNORED.flatMap(([pattern, why]) =>
    given(raw, pattern.split('.')).map((path) => `${whereIn(source, path)}: ignored: ${why}`),
  );
  ((raw['instance_group'] ?? []) as RawConfig[]).forEach(({ kind, gpus }, index) => {
    if (isGiven(gpus) && kind !== 'KIND_GPU')
      told.push(
        `${whereIn(source, ['instance_group', index, 'gpus'])}: ignored: only KIND_GPU asks for a GPU`,
      );
  });
  for (const key of ((raw['parameters'] ?? new Map()) as Map<string, unknown>).keys()) {
    if (!RUNTIME_PARAMETERS.includes(key) && !key.startsWith('sluice.'))
      told.push(`${whereIn(source, ['parameters', key])}: ignored: nothing reads it`);
  }
  return told;
}
