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
import type { OpenOptions } from '../../core/opening.js';
import type { RawConfig } from './pbtxt.js';
import { optionalInputs, paddingSchema, type PaddingConfig } from './padding.js';
import { linePrefix, whereIn, type ConfigSource, type FieldPath } from './places.js';
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

const tensorFields = {
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
};
const tensorSchema = z.object(tensorFields);

/** The format of an input says how a person reads it; the bytes are the same. */
const inputSchema = z
  .object({ ...tensorFields, format: z.enum(['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW']).optional() })
  .refine(({ format = 'FORMAT_NONE', dims }) => format === 'FORMAT_NONE' || dims.length === 3, {
    path: ['format'],
    message: 'expected FORMAT_NONE, because dims are not three',
  })
  .transform(({ format: _format, ...tensor }) => tensor);

/** Triton's numbers; 0 is everything. */
const GRAPH_LEVELS = new Map([
  [-1, 'basic'],
  [1, 'extended'],
  [2, 'none'],
] as const);

const optimizationSchema = z.object({
  graph: z
    .object({
      level: z
        .int()
        .refine((level) => level === 0 || GRAPH_LEVELS.has(level as -1), 'expected -1, 0, 1 or 2')
        .default(0),
    })
    .default({ level: 0 }),
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
  input: z.array(inputSchema).default([]),
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
  optimization: optimizationSchema.default({ graph: { level: 0 } }),
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
export type ModelConfig = Omit<z.output<typeof modelConfigSchema>, 'parameters' | 'optimization'> & {
  readonly runtime: RuntimeParameters & Pick<OpenOptions, 'graphOptimization'>;
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
  readonly source: ConfigSource;
  /** What was given and is ignored, one sentence each. */
  readonly warnings: readonly string[];
}

function invalid(message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', message);
}

/** `where` names the place of a path inside `value`. */
function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: (path: FieldPath) => string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw invalid(`${where([])}: not valid`);
  if (issue.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys;
    if (issue.path.length > 0) throw invalid(`${where(issue.path)}: unknown field "${name}"`);
    throw invalid(`${where([name])}: unknown field${didYouMean(name, Object.keys(sluiceSchema.shape))}`);
  }
  throw invalid(`${where(issue.path)}: ${issue.message.replace(/^Invalid input: /, '')}`);
}

/** One CPU for each thread beside the one that calls, as ONNX Runtime counts them. */
function intraOpCpus(text: string | undefined, threads: number, source: ConfigSource): readonly number[] {
  if (text === undefined) return [];
  const cpus = readCpuList(text);
  const where = `${linePrefix(source, ['parameters', 'sluice.intra_op_cpus'])}sluice.intra_op_cpus: expected`;
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
  source: ConfigSource,
): SluiceConfig {
  const fromObject = parseWith(sluiceSchema, sluice ?? {}, (path) => whereIn(source, ['sluice', ...path]));
  const prefixed = [...parameters].filter(([key]) => key.startsWith('sluice.'));
  const asObject = Object.fromEntries(
    prefixed.map(([key, value]) => [key.slice(7), parameterValue(value.string_value)]),
  );
  const fromParameters = parseWith(sluiceSchema, asObject, ([name, ...path]) =>
    whereIn(source, ['parameters', `sluice.${String(name)}`, ...path]),
  );
  const twice = Object.keys(fromObject).find((name) => name in fromParameters);
  if (twice !== undefined)
    throw invalid(`${source.fileName}: ${twice} is given both in sluice and in parameters`);
  return { ...fromParameters, ...fromObject };
}

/** Where the tensor that a second one is named like stands: inputs and outputs may share a name with each other. */
function refuseTwice(side: 'input' | 'output', tensors: readonly TensorConfig[], source: ConfigSource): void {
  tensors.forEach(({ name }, index) => {
    if (tensors.findIndex((other) => other.name === name) === index) return;
    throw invalid(`${whereIn(source, [side, index])}: tensor "${name}" is listed twice`);
  });
}

/** Checks what a file said. `source` is for messages. */
export function readModelConfig(raw: RawConfig, sluice: unknown, source: ConfigSource): ReadConfig {
  refuseUnsupported(raw, source);
  const read = parseWith(modelConfigSchema, raw, (path) => whereIn(source, path));
  const { parameters, optimization, ...config } = read;
  refuseTwice('input', config.input, source);
  refuseTwice('output', config.output, source);
  const own = readSluice(parameters, sluice, source);
  refuseOptional(raw, optionalInputs(own.padding ?? []), source);
  // What a loop leaves to the workers is overtaken by what it runs itself.
  if (own.execution === 'inline' && config.dynamic_batching?.preserve_ordering === true)
    throw invalid(
      `${whereIn(source, ['dynamic_batching', 'preserve_ordering'])}: expected false where sluice.execution is inline`,
    );
  const runtime = readRuntimeParameters(parameters, source);
  const graphOptimization = GRAPH_LEVELS.get(optimization.graph.level as -1);
  return {
    config: {
      ...config,
      runtime: graphOptimization === undefined ? runtime : { ...runtime, graphOptimization },
      intraOpCpus: intraOpCpus(own.intra_op_cpus, runtime.intraOpThreads, source),
      execution: own.execution ?? 'auto',
      deadlineMs: own.deadline_ms ?? 0,
      maySplit: own.split ?? false,
      weight: own.weight ?? 1,
      maxQueueBytes: own.max_queue_bytes ?? 0,
      padding: own.padding ?? [],
    },
    raw,
    source,
    warnings: ignoredFields(raw, source),
  };
}

/** Equal where the configurations are; maps are told, too. */
export function configDigest(config: Partial<ModelConfig>): string {
  return JSON.stringify(config, (_key, value: unknown) => (value instanceof Map ? [...value] : value));
}

/** What a model without a config file starts from. */
export function emptyModelConfig(): ReadConfig {
  return readModelConfig({}, undefined, { fileName: 'no config file', places: new Map() });
}
