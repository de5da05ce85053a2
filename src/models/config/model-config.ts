/**
 * ModelConfig: the part of Triton's model configuration that Sluice serves, with the checks that need no model. Field
 * names are Triton's. What is legal in Triton but not served is refused by name; what changes no answer is ignored with
 * a warning (see unsupported.ts). Pure.
 */
import { z } from 'zod';
import { readCpuList } from '../../core/cpus.js';
import { SluiceError } from '../../core/errors.js';
import { dataTypeByConfigName } from '../../core/data-types.js';
import { didYouMean } from '../../core/nearest.js';
import type { RawConfig } from './pbtxt.js';
import { optionalInputs, paddingSchema, type PaddingConfig } from './padding.js';
import { readRuntimeParameters, type RuntimeParameters } from './runtime-parameters.js';
import { warmupSchema } from './warmup.js';
import { ignoredFields, refuseOptional, refuseUnsupported } from './unsupported.js';

const EXECUTIONS = ['auto', 'inline', 'worker'] as const;

/** Level 255 is the background, which no configuration names. */
const MAX_PRIORITY_LEVELS = 250;

const dimsSchema = z
  .array(
    z.int().refine((dim) => dim === -1 || dim >= 1, 'expected a dimension of at least 1, or -1 for any size'),
  )
  .max(32);

const tensorSchema = z.object({
  name: z.string().min(1, 'expected a tensor name'),
  data_type: z.string('expected a data_type such as TYPE_FP32').transform((configName, context) => {
    const datatype = dataTypeByConfigName(configName);
    if (datatype !== undefined) return datatype;
    context.addIssue({
      code: 'custom',
      message: `expected a data type such as TYPE_FP32, got ${configName}`,
    });
    return z.NEVER;
  }),
  dims: dimsSchema.min(1, 'expected at least one dimension (a scalar is [ 1 ])'),
  reshape: z.object({ shape: dimsSchema.default([]) }).optional(),
});

const versionPolicySchema = z.object({
  latest: z
    .object({
      num_versions: z
        .int('expected num_versions of at least 1')
        .min(1, 'expected num_versions of at least 1'),
    })
    .optional(),
  all: z.object({}).optional(),
  specific: z
    .object({ versions: z.array(z.union([z.int().min(0), z.string()]).transform(String)).min(1) })
    .optional(),
});

const queuePolicySchema = z.object({
  timeout_action: z.enum(['REJECT', 'DELAY']).default('REJECT'),
  default_timeout_microseconds: z.int().min(0).max(3_600_000_000).default(0),
  allow_timeout_override: z.boolean().default(false),
  max_queue_size: z.int().min(0).default(0),
});
type QueuePolicyConfig = z.output<typeof queuePolicySchema>;

function movesBehind(policy: QueuePolicyConfig | undefined): boolean {
  return policy?.timeout_action === 'DELAY' && policy.default_timeout_microseconds > 0;
}

const dynamicBatchingSchema = z
  .object({
    preferred_batch_size: z.array(z.int().min(1)).default([]),
    max_queue_delay_microseconds: z.int().min(0).max(3_600_000_000).default(0),
    preserve_ordering: z.boolean().default(false),
    priority_levels: z.int().min(0).max(MAX_PRIORITY_LEVELS).default(0),
    default_priority_level: z.int().min(0).default(0),
    default_queue_policy: queuePolicySchema.optional(),
    priority_queue_policy: z.map(z.string(), queuePolicySchema).default(new Map()),
  })
  .refine(
    (batching) =>
      [...batching.priority_queue_policy.keys()].every(
        (key) => /^\d{1,3}$/.test(key) && Number(key) >= 1 && Number(key) <= batching.priority_levels,
      ),
    { path: ['priority_queue_policy'], message: 'expected keys from 1 to priority_levels' },
  )
  .refine(
    (batching) =>
      !batching.preserve_ordering ||
      ![batching.default_queue_policy, ...batching.priority_queue_policy.values()].some(movesBehind),
    { path: ['preserve_ordering'], message: 'expected false where a queue policy delays on a timeout' },
  )
  .refine(
    (batching) =>
      batching.priority_levels === 0 ||
      (batching.default_priority_level >= 1 && batching.default_priority_level <= batching.priority_levels),
    { path: ['default_priority_level'], message: 'expected a level from 1 to priority_levels' },
  )
  .refine((batching) => !(batching.preserve_ordering && batching.priority_levels > 1), {
    path: ['preserve_ordering'],
    message: 'expected false where priority_levels is above 1',
  });

const instanceGroupSchema = z.object({
  name: z.string().default(''),
  kind: z.enum(['KIND_AUTO', 'KIND_GPU', 'KIND_CPU']).default('KIND_AUTO'),
  count: z
    .int()
    .max(256)
    .default(1)
    .transform((count) => Math.max(count, 1)),
});

const modelConfigSchema = z.object({
  name: z.string().default(''),
  platform: z.string().default(''),
  backend: z.string().default(''),
  version_policy: versionPolicySchema.optional(),
  max_batch_size: z.int().min(0).max(1_048_576).optional(),
  input: z.array(tensorSchema).default([]),
  output: z.array(tensorSchema).default([]),
  instance_group: z.array(instanceGroupSchema).default([]),
  default_model_filename: z
    .string()
    .refine(
      (name) => !/[/\\\0]/.test(name) && name !== '..' && name !== '.',
      'expected a file name without folders',
    )
    .default(''),
  dynamic_batching: dynamicBatchingSchema.optional(),
  model_warmup: warmupSchema.default([]),
  parameters: z.map(z.string(), z.object({ string_value: z.string().default('') })).default(new Map()),
});

const sluiceSchema = z.strictObject({
  execution: z.enum(EXECUTIONS).optional(),
  deadline_ms: z.int().min(1).max(3_600_000).optional(),
  split: z.boolean().optional(),
  weight: z.number().min(0.01).max(100).optional(),
  max_queue_bytes: z.int().min(1).optional(),
  padding: paddingSchema.optional(),
  // A single CPU among the parameters reads like a number.
  intra_op_cpus: z
    .union([z.string(), z.int().min(0)], 'expected a list of CPUs such as "2,4-6"')
    .transform(String)
    .optional(),
});
type SluiceConfig = z.output<typeof sluiceSchema>;

/** For editors. */
export const SLUICE_JSON_SCHEMA = z.toJSONSchema(sluiceSchema, { io: 'input' });

export type TensorConfig = z.output<typeof tensorSchema>;
export type ModelConfig = Omit<z.output<typeof modelConfigSchema>, 'parameters'> & {
  readonly runtime: RuntimeParameters;
  readonly intraOpCpus: readonly number[];
  readonly execution: (typeof EXECUTIONS)[number];
  readonly deadlineMs: number;
  readonly maySplit: boolean;
  readonly weight: number;
  readonly maxQueueBytes: number;
  readonly padding: PaddingConfig;
};

export interface ReadConfig {
  readonly config: ModelConfig;
  /** What the file said, checked. */
  readonly raw: RawConfig;
  /** What was given and is ignored, one sentence each. */
  readonly warnings: readonly string[];
}

function invalid(message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', message);
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${String(step)}`))
    .join('');
}

function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  prefix: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw invalid(`${prefix}: not valid`);
  const where = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const hint = where === '' ? didYouMean(issue.keys[0] ?? '', Object.keys(sluiceSchema.shape)) : '';
    throw invalid(`${prefix}${where === '' ? '' : ` ${where}`}: unknown field "${issue.keys[0]}"${hint}`);
  }
  throw invalid(
    `${prefix}${where === '' ? '' : ` ${where}`}: ${issue.message.replace(/^Invalid input: /, '')}`,
  );
}

/** One CPU for each thread beside the one that calls, as ONNX Runtime counts them. */
function intraOpCpus(text: string | undefined, threads: number, fileName: string): readonly number[] {
  if (text === undefined) return [];
  const cpus = readCpuList(text);
  const where = `${fileName} sluice intra_op_cpus: expected`;
  if (cpus === undefined) throw invalid(`${where} a list of CPUs such as "2,4-6", got "${text}"`);
  if (cpus.length !== threads - 1) {
    throw invalid(
      `${where} one CPU less than intra_op_thread_count (${threads || 'not given'}): ` +
        `the calling worker is one of the threads; got ${cpus.length}`,
    );
  }
  return cpus;
}

/** Parameters are texts; what is written like a number, a switch or JSON is meant as one. */
function parameterValue(text: string): unknown {
  if (/^\s*[[{]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Told as what it is by whoever expects something else.
      return text;
    }
  }
  if (/^-?\d{1,15}(\.\d{1,6})?$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}

function readSluice(
  parameters: Map<string, { string_value: string }>,
  sluice: unknown,
  fileName: string,
): SluiceConfig {
  const fromObject = parseWith(sluiceSchema, sluice ?? {}, `${fileName} sluice`);
  const prefixed = [...parameters].filter(([key]) => key.startsWith('sluice.'));
  const asObject = Object.fromEntries(
    prefixed.map(([key, value]) => [key.slice(7), parameterValue(value.string_value)]),
  );
  const fromParameters = parseWith(sluiceSchema, asObject, `${fileName} parameters "sluice."`);
  const twice = Object.keys(fromObject).find((name) => name in fromParameters);
  if (twice !== undefined) throw invalid(`${fileName}: ${twice} is given both in sluice and in parameters`);
  return { ...fromParameters, ...fromObject };
}

/** Checks what a file said. `fileName` is for messages only. */
export function readModelConfig(raw: RawConfig, sluice: unknown, fileName: string): ReadConfig {
  refuseUnsupported(raw, fileName);
  const { parameters, ...config } = parseWith(modelConfigSchema, raw, fileName);
  const names = [...config.input, ...config.output.map((tensor) => ({ ...tensor, name: `>${tensor.name}` }))];
  const twice = names.find(
    (tensor, index) => names.findIndex((other) => other.name === tensor.name) !== index,
  );
  if (twice !== undefined)
    throw invalid(`${fileName}: tensor "${twice.name.replace(/^>/, '')}" is listed twice`);
  const own = readSluice(parameters, sluice, fileName);
  refuseOptional(raw, optionalInputs(own.padding ?? []), fileName);
  const runtime = readRuntimeParameters(parameters, fileName);
  return {
    config: {
      ...config,
      runtime,
      intraOpCpus: intraOpCpus(own.intra_op_cpus, runtime.intraOpThreads, fileName),
      execution: own.execution ?? 'auto',
      deadlineMs: own.deadline_ms ?? 0,
      maySplit: own.split ?? false,
      weight: own.weight ?? 1,
      maxQueueBytes: own.max_queue_bytes ?? 0,
      padding: own.padding ?? [],
    },
    raw,
    warnings: ignoredFields(raw, fileName),
  };
}

/** What a model without a config file starts from. */
export function emptyModelConfig(): ReadConfig {
  return readModelConfig({}, undefined, 'no config file');
}
