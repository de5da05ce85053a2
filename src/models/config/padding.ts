/**
 * The padding rules of a configuration (`sluice.padding`): their form, their checks against the completed tensors, and
 * what the engine gets of them. Dimensions are counted as in `dims`, without the batch. Pure.
 */
import { z } from 'zod';
import type { DataType } from '../../core/data-types.js';
import { SluiceError } from '../../core/errors.js';
import type { PaddingRule } from '../../core/model.js';
import { didYouMean } from '../../core/nearest.js';

const MAX_RULES = 8;
/** Each is measured at warm-up. */
const MAX_LENGTHS = 32;
const MAX_LENGTH = 1_048_576;

const LENGTHS = `expected lengths from 1 to ${MAX_LENGTH} such as [16, 32, 64], or {"from": 16, "to": 512} for doubling ones`;
const lengthSchema = z.int(LENGTHS).min(1, LENGTHS).max(MAX_LENGTH, LENGTHS);

function doubled({ from, to }: { from: number; to: number }): number[] {
  const lengths: number[] = [];
  for (let length = from; length < to; length *= 2) lengths.push(length);
  return [...lengths, to];
}

const lengthsSchema = z
  .union([z.array(lengthSchema).min(1), z.strictObject({ from: lengthSchema, to: lengthSchema })], LENGTHS)
  .refine((given) => Array.isArray(given) || given.from <= given.to, 'expected from to be at most to')
  .transform((given) => (Array.isArray(given) ? given : doubled(given)))
  .refine((lengths) => lengths.length <= MAX_LENGTHS, `expected at most ${MAX_LENGTHS} lengths`)
  .refine(
    (lengths) => lengths.every((length, index) => index === 0 || length > lengths[index - 1]!),
    'expected lengths in ascending order, each once',
  );

const ruleSchema = z.strictObject({
  inputs: z
    .record(z.string(), z.strictObject({ value: z.number().default(0), dim: z.int().min(0).optional() }))
    .refine((inputs) => Object.keys(inputs).length > 0, 'expected at least one input'),
  lengths: lengthsSchema,
  mask: z.string().min(1).optional(),
  outputs: z
    .record(z.string(), z.strictObject({ dims: z.array(z.int().min(0)).min(1).optional() }))
    .optional(),
});

export const paddingSchema = z.array(ruleSchema, 'expected a list of rules').min(1).max(MAX_RULES);
export type PaddingConfig = z.output<typeof paddingSchema>;

interface Tensor {
  readonly name: string;
  readonly data_type: DataType;
  readonly dims: readonly number[];
  readonly reshape?: object | undefined;
}

interface Configured {
  readonly max_batch_size: number;
  readonly input: readonly Tensor[];
  readonly output: readonly Tensor[];
  readonly padding: PaddingConfig;
}

function refuse(where: string, expected: string): never {
  throw new SluiceError('CONFIG_INVALID', `${where}: expected ${expected}`);
}

function shown(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

function find(tensors: readonly Tensor[], name: string, kind: string, where: string): Tensor {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found === undefined) {
    const names = tensors.map((tensor) => tensor.name);
    refuse(where, `an ${kind} of the model (${names.join(', ')})${didYouMean(name, names)}, got "${name}"`);
  }
  if (found.reshape !== undefined) refuse(where, `an ${kind} without reshape, "${name}" has one`);
  return found;
}

function varying(tensor: Tensor): number[] {
  return tensor.dims.flatMap((dim, index) => (dim === -1 ? [index] : []));
}

function checkVarying({ name, dims }: Tensor, dim: number, where: string): void {
  if (dims[dim] === -1) return;
  const got = dims[dim] === undefined ? 'no such dimension' : `the fixed size ${dims[dim]}`;
  refuse(where, `a dimension that varies (-1) at ${dim} of "${name}" with dims ${shown(dims)}, got ${got}`);
}

function paddedDim(tensor: Tensor, dim: number | undefined, where: string): number {
  if (tensor.data_type === 'BYTES') refuse(where, `numbers to pad, "${tensor.name}" holds strings (BYTES)`);
  const candidates = varying(tensor);
  if (dim !== undefined) {
    checkVarying(tensor, dim, where);
    return dim;
  }
  const [only] = candidates;
  if (only === undefined || candidates.length > 1) {
    const instead = candidates.length === 0 ? '' : ', or "dim" to say which';
    refuse(
      where,
      `one dimension that varies (-1)${instead}, "${tensor.name}" has dims ${shown(tensor.dims)}`,
    );
  }
  return only;
}

/** What stands for a value in the type, in words; undefined where it does. */
function unfit(datatype: DataType, value: number): string | undefined {
  if (datatype === 'FP32' || datatype === 'FP64') return undefined;
  if (datatype === 'BOOL') return value === 0 || value === 1 ? undefined : '0 or 1';
  // Exact in every float of 16 bits.
  const isNarrow = datatype === 'FP16' || datatype === 'BF16';
  const bits = Number(/\d+$/.exec(datatype)?.[0]);
  const isUnsigned = datatype.startsWith('U');
  const most = isNarrow ? 256 : Math.min(2 ** (isUnsigned ? bits : bits - 1) - 1, Number.MAX_SAFE_INTEGER);
  const least = isUnsigned ? 0 : isNarrow ? -256 : Math.max(-(2 ** (bits - 1)), Number.MIN_SAFE_INTEGER);
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `a whole number from ${least} to ${most}`;
}

function resolveInputs(
  config: Configured,
  rule: PaddingConfig[number],
  where: string,
): PaddingRule['inputs'] {
  return Object.entries(rule.inputs).map(([name, { value, dim }]) => {
    const at = `${where}.inputs`;
    const tensor = find(config.input, name, 'input', at);
    const found = paddedDim(tensor, dim, at);
    const wanted = unfit(tensor.data_type, value);
    if (wanted !== undefined)
      refuse(at, `${wanted} as the value for "${name}" (${tensor.data_type}), got ${value}`);
    return { name, dim: found, value };
  });
}

function resolveMask(config: Configured, mask: string | undefined, where: string): PaddingRule['mask'] {
  if (mask === undefined) return undefined;
  const at = `${where}.mask`;
  const tensor = find(config.input, mask, 'input', at);
  return { name: mask, dim: paddedDim(tensor, undefined, at) };
}

/** Without a word, all outputs that vary follow the one rule. */
function resolveOutputs(
  config: Configured,
  { outputs }: PaddingConfig[number],
  where: string,
): PaddingRule['outputs'] {
  if (outputs !== undefined) {
    return Object.entries(outputs).map(([name, { dims }]) => {
      const tensor = find(config.output, name, 'output', `${where}.outputs`);
      for (const dim of dims ?? []) checkVarying(tensor, dim, `${where}.outputs`);
      if (varying(tensor).length === 0)
        refuse(`${where}.outputs`, `a dimension that varies (-1), "${name}" has dims ${shown(tensor.dims)}`);
      return { name, dims: dims ?? varying(tensor) };
    });
  }
  const open = config.output.filter((tensor) => varying(tensor).length > 0);
  if (config.padding.length > 1 && open.length > 0) {
    const names = open.map((tensor) => tensor.name).join(', ');
    refuse(where, `"outputs", because there are several rules and outputs that vary (${names})`);
  }
  return open.map((tensor) => {
    find(config.output, tensor.name, 'output', `${where}.outputs`);
    return { name: tensor.name, dims: varying(tensor) };
  });
}

/** The rules as the engine wants them; throws where one does not fit the model. */
export function resolvePadding(config: Configured): PaddingRule[] {
  if (config.padding.length === 0) return [];
  if (config.max_batch_size === 0)
    refuse('sluice.padding', 'max_batch_size above 0: padding is for requests that share a batch');
  const taken = new Set<string>();
  const takeOnce = (key: string, name: string, where: string): void => {
    if (taken.has(key)) refuse(where, `each tensor in one place, "${name}" is named twice`);
    taken.add(key);
  };
  return config.padding.map((rule, index) => {
    const where = `sluice.padding[${index}]`;
    const inputs = resolveInputs(config, rule, where);
    const mask = resolveMask(config, rule.mask, where);
    const outputs = resolveOutputs(config, rule, where);
    for (const { name } of [...inputs, ...(mask === undefined ? [] : [mask])])
      takeOnce(`<${name}`, name, where);
    for (const { name, dims } of outputs) for (const dim of dims) takeOnce(`>${dim} ${name}`, name, where);
    return { inputs, lengths: rule.lengths, mask, outputs };
  });
}

/** Names of the inputs that a request may leave out. */
export function optionalInputs(padding: PaddingConfig): Set<string> {
  return new Set(padding.flatMap(({ mask }) => (mask === undefined ? [] : [mask])));
}
