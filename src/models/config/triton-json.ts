/**
 * The completed configuration as Triton prints it: protobuf's field names, defaults of scalars, lists and maps written
 * out, messages that are not there left out, enums as names, 64-bit integers as numbers. Pure.
 */
import protobuf from 'protobufjs/light.js';
import { DATA_TYPES } from '../../core/data-types.js';
import type { CompletedConfig } from './complete.js';
import { MODEL_CONFIG_TYPE } from './fields.js';
import type { ReadConfig, TensorConfig } from './model-config.js';
import { optionalInputs } from './padding.js';
import type { RawConfig } from './pbtxt.js';

type Json = Record<string, unknown>;

function printedNumber(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
}

function printed(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type)
    return printedMessage(field.resolvedType, value as RawConfig);
  return field.type === 'string' || field.resolvedType !== null ? value : printedNumber(value);
}

function defaultOf(field: protobuf.Field): unknown {
  if (field.resolvedType instanceof protobuf.Enum) return field.resolvedType.valuesById[0];
  if (field.type === 'string') return '';
  return field.type === 'bool' ? false : 0;
}

function printedMessage(type: protobuf.Type, raw: RawConfig): Json {
  const json: Json = {};
  for (const field of type.fieldsArray) {
    field.resolve();
    const value = raw[field.name];
    if (field instanceof protobuf.MapField) {
      const entries = [...((value ?? new Map()) as Map<string, unknown>)];
      json[field.name] = Object.fromEntries(entries.map(([key, item]) => [key, printed(field, item)]));
    } else if (field.repeated) {
      json[field.name] = ((value ?? []) as unknown[]).map((item) => printed(field, item));
    } else if (value !== undefined) {
      json[field.name] = printed(field, value);
    } else if (!(field.resolvedType instanceof protobuf.Type) && !field.partOf) {
      json[field.name] = defaultOf(field);
    }
  }
  return json;
}

/** What the file said of the tensor, and what was completed. */
function rawTensor(tensor: TensorConfig, given: readonly RawConfig[], isOptional: boolean): RawConfig {
  const { name, data_type, dims, reshape } = tensor;
  const told = given.find((other) => other['name'] === name) ?? {};
  const data = { name, data_type: DATA_TYPES[data_type].configName, dims };
  return {
    ...told,
    ...data,
    ...(reshape === undefined ? {} : { reshape }),
    ...(isOptional ? { optional: true } : {}),
  };
}

/** Without groups, one is made and named like the model; groups without names are numbered. */
function rawGroups(config: CompletedConfig, given: readonly RawConfig[]): RawConfig[] {
  return config.instance_group.map((group, index) => ({
    ...given[index],
    name: group.name !== '' ? group.name : given.length === 0 ? config.name : `${config.name}_${index}`,
    kind: group.kind === 'KIND_AUTO' ? 'KIND_CPU' : group.kind,
    count: group.count,
  }));
}

function rawBatching(
  config: CompletedConfig,
  given: RawConfig | undefined,
): { dynamic_batching?: RawConfig } {
  const { dynamic_batching: batching, max_batch_size: most } = config;
  if (batching === undefined) return {};
  const sizes = batching.preferred_batch_size;
  return {
    dynamic_batching: {
      ...given,
      ...batching,
      preferred_batch_size: sizes.length > 0 || most === 0 ? sizes : [most],
    },
  };
}

function rawOptimization(given: RawConfig | undefined): RawConfig {
  const pinned = { enable: true };
  return { input_pinned_memory: pinned, output_pinned_memory: pinned, ...given };
}

/** `read` is what the file said, `completed` what is served. */
export function tritonJson(read: ReadConfig, completed: CompletedConfig): Json {
  const { raw } = read;
  const masks = optionalInputs(completed.padding);
  const side = (name: 'input' | 'output'): RawConfig[] =>
    completed[name].map((tensor) =>
      rawTensor(tensor, (raw[name] ?? []) as RawConfig[], name === 'input' && masks.has(tensor.name)),
    );
  const own: Array<readonly [string, string]> = [];
  if (completed.execution !== 'auto') own.push(['sluice.execution', completed.execution]);
  if (completed.padding.length > 0) own.push(['sluice.padding', JSON.stringify(completed.padding)]);
  const parameters = new Map((raw['parameters'] ?? []) as Map<string, unknown>);
  for (const [key, text] of own) parameters.set(key, { string_value: text });
  const { name, platform, backend, version_policy, max_batch_size, default_model_filename } = completed;
  return printedMessage(MODEL_CONFIG_TYPE, {
    ...raw,
    name,
    platform,
    backend,
    version_policy,
    max_batch_size,
    default_model_filename,
    input: side('input'),
    output: side('output'),
    instance_group: rawGroups(completed, (raw['instance_group'] ?? []) as RawConfig[]),
    optimization: rawOptimization(raw['optimization'] as RawConfig | undefined),
    ...rawBatching(completed, raw['dynamic_batching'] as RawConfig | undefined),
    parameters,
  });
}
