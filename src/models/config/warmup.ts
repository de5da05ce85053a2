/** The samples of `model_warmup`, checked. Pure. */
import { z } from 'zod';
import { dataTypeByConfigName, type DataType } from '../../core/data-types.js';

export interface WarmupInput {
  readonly datatype: DataType;
  /** Without the batch dimension. */
  readonly dims: readonly number[];
  readonly isRandom: boolean;
  /** In the model's `warmup` folder. */
  readonly file: string | undefined;
}

export interface WarmupSample {
  readonly name: string;
  /** 0: skipped; above 1: that many requests of one row at the same time. */
  readonly batchSize: number;
  readonly count: number;
  readonly inputs: ReadonlyMap<string, WarmupInput>;
}

const inputSchema = z
  .object({
    data_type: z.string('expected a data_type such as TYPE_FP32'),
    dims: z.array(z.int().min(1, 'expected dims of at least 1')).default([]),
    zero_data: z.boolean().optional(),
    random_data: z.boolean().optional(),
    input_data_file: z
      .string()
      .regex(/^[^/\\\0]+$/, 'expected a file name without folders')
      .refine((name) => name !== '..' && name !== '.', 'expected a file name')
      .optional(),
  })
  .transform((input, context): WarmupInput => {
    const datatype = dataTypeByConfigName(input.data_type);
    if (datatype === undefined) {
      context.addIssue({
        code: 'custom',
        message: `expected a data type such as TYPE_FP32, got ${input.data_type}`,
      });
      return z.NEVER;
    }
    if (
      input.zero_data === undefined &&
      input.random_data === undefined &&
      input.input_data_file === undefined
    ) {
      context.addIssue({ code: 'custom', message: 'expected zero_data, random_data or input_data_file' });
      return z.NEVER;
    }
    return { datatype, dims: input.dims, isRandom: input.random_data === true, file: input.input_data_file };
  });

export const warmupSchema = z.array(
  z
    .object({
      name: z.string().default(''),
      batch_size: z.int().min(0).max(1024).default(0),
      count: z.int().min(0).max(10_000).default(0),
      inputs: z.map(z.string(), inputSchema).default(new Map()),
    })
    .transform((sample): WarmupSample => ({
      name: sample.name,
      batchSize: sample.batch_size,
      count: sample.count,
      inputs: sample.inputs,
    })),
);
