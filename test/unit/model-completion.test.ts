/** Auto-completion as tables: what the file says, what the model says, what is served. */
import t from 'tap';
import type { ModelSignature, TensorInfo } from '../../src/core/model.js';
import { completeConfig } from '../../src/models/config/complete.js';
import { readPbtxtConfig } from '../../src/models/config/read-config.js';
import { makeMetadata, makeServePlan } from '../../src/models/config/serve-plan.js';

function fp32(name: string, ...shape: number[]): TensorInfo {
  return { name, datatype: 'FP32', shape };
}

function signature(inputs: TensorInfo[], outputs: TensorInfo[]): ModelSignature {
  return { inputs, outputs };
}

const BATCHES = signature([fp32('x', -1, 64)], [fp32('y', -1, 10)]);
const FIXED = signature([fp32('x', 1, 64)], [fp32('y', 1, 10)]);
const ROW_SCALAR = signature([fp32('x', -1)], [fp32('y', -1, 3)]);
const SCALAR = signature([fp32('x')], [fp32('y', 3)]);
const BOTH_LISTED =
  'input { name: "x" data_type: TYPE_FP32 dims: 64 } output { name: "y" data_type: TYPE_FP32 dims: 10 }';

function plan(text: string, model: ModelSignature) {
  const { config } = readPbtxtConfig(text);
  return makeServePlan(completeConfig(config, model, 'm'), model, '1');
}

interface Case {
  readonly situation: string;
  readonly text: string;
  readonly model: ModelSignature;
  readonly maxBatchRows: number;
  readonly isBatching: boolean;
  readonly inputs: Array<[dims: number[], modelDims: number[]]>;
  readonly metadataShape: number[];
}

const SERVED: Case[] = [
  {
    situation: 'nothing given, the model can batch: 64 rows and batching',
    text: '',
    model: BATCHES,
    maxBatchRows: 64,
    isBatching: true,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'nothing given, a fixed first dimension: no batching',
    text: '',
    model: FIXED,
    maxBatchRows: 0,
    isBatching: false,
    inputs: [
      [
        [1, 64],
        [1, 64],
      ],
    ],
    metadataShape: [1, 64],
  },
  {
    situation: 'a given maximum is kept',
    text: 'max_batch_size: 8',
    model: BATCHES,
    maxBatchRows: 8,
    isBatching: true,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'a maximum of one: a batch dimension, nothing to batch',
    text: 'max_batch_size: 1',
    model: BATCHES,
    maxBatchRows: 1,
    isBatching: false,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'an explicit 0 switches batching off',
    text: 'max_batch_size: 0',
    model: BATCHES,
    maxBatchRows: 0,
    isBatching: false,
    inputs: [
      [
        [-1, 64],
        [-1, 64],
      ],
    ],
    metadataShape: [-1, 64],
  },
  {
    situation: 'both sides listed: nothing is filled in',
    text: `max_batch_size: 8 ${BOTH_LISTED}`,
    model: BATCHES,
    maxBatchRows: 8,
    isBatching: false,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'both sides listed with dynamic_batching',
    text: `max_batch_size: 8 dynamic_batching { } ${BOTH_LISTED}`,
    model: BATCHES,
    maxBatchRows: 8,
    isBatching: true,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'one side listed: the other is filled in',
    text: 'input { name: "x" data_type: TYPE_FP32 dims: 64 }',
    model: BATCHES,
    maxBatchRows: 64,
    isBatching: true,
    inputs: [[[64], [64]]],
    metadataShape: [-1, 64],
  },
  {
    situation: 'one scalar per row is [1] on the wire',
    text: '',
    model: ROW_SCALAR,
    maxBatchRows: 64,
    isBatching: true,
    inputs: [[[1], []]],
    metadataShape: [-1, 1],
  },
  {
    situation: 'a scalar of a model without batches is [1] on the wire',
    text: '',
    model: SCALAR,
    maxBatchRows: 0,
    isBatching: false,
    inputs: [[[1], []]],
    metadataShape: [1],
  },
  {
    situation: 'the file pins a dimension that varies in the model',
    text: 'input { name: "x" data_type: TYPE_FP32 dims: [ 3, 5 ] }',
    model: signature([fp32('x', -1, -1, 5)], [fp32('y', -1, 2)]),
    maxBatchRows: 64,
    isBatching: true,
    inputs: [
      [
        [3, 5],
        [3, 5],
      ],
    ],
    metadataShape: [-1, 3, 5],
  },
  {
    situation: 'a reshape: dims on the wire, shape for the model',
    text: 'input { name: "x" data_type: TYPE_FP32 dims: [ 8, 8 ] reshape { shape: 64 } }',
    model: BATCHES,
    maxBatchRows: 64,
    isBatching: true,
    inputs: [[[8, 8], [64]]],
    metadataShape: [-1, 8, 8],
  },
];

for (const served of SERVED) {
  t.test(served.situation, (t) => {
    const made = plan(served.text, served.model);
    t.equal(made.maxBatchRows, served.maxBatchRows);
    t.equal(made.isBatching, served.isBatching);
    t.same(
      made.inputs.map((tensor) => [tensor.dims, tensor.modelDims]),
      served.inputs,
    );
    t.same(makeMetadata(made).inputs[0]?.shape, served.metadataShape);
    t.equal(made.instanceCount, 0);
    t.end();
  });
}

t.test("order is the file's where listed, otherwise the model's, and listed outputs may be fewer", (t) => {
  const model = signature([fp32('a', -1, 1), fp32('b', -1, 2)], [fp32('y', -1, 1), fp32('z', -1, 1)]);
  t.same(
    plan('', model).outputs.map((tensor) => tensor.name),
    ['y', 'z'],
  );
  const text = `input [ { name: "b" data_type: TYPE_FP32 dims: 2 }, { name: "a" data_type: TYPE_FP32 dims: 1 } ]
    output { name: "z" data_type: TYPE_FP32 dims: 1 }`;
  const made = plan(`max_batch_size: 4 ${text}`, model);
  t.same(
    made.inputs.map((tensor) => tensor.name),
    ['b', 'a'],
  );
  t.same(
    made.outputs.map((tensor) => tensor.name),
    ['z'],
  );
  t.end();
});

t.test('instance groups add up; delay, preferred sizes and execution reach the plan', (t) => {
  const made = plan(
    `instance_group [ { count: 2 }, { count: 3 } ] parameters { key: "sluice.execution" value { string_value: "inline" } }
       parameters { key: "sluice.deadline_ms" value { string_value: "250" } }
     dynamic_batching { preferred_batch_size: [ 16, 4 ] max_queue_delay_microseconds: 100 }`,
    BATCHES,
  );
  t.match(made, {
    instanceCount: 5,
    execution: 'inline',
    deadlineMs: 250,
    preferredBatchRows: [16, 4],
    maxQueueDelayUs: 100,
  });
  t.end();
});

const REFUSED: Array<[situation: string, text: string, model: ModelSignature, message: RegExp]> = [
  ['name of another folder', 'name: "other"', BATCHES, /name: expected "m".*got "other"/],
  [
    'a maximum for a model that cannot batch',
    'max_batch_size: 8',
    FIXED,
    /max_batch_size: expected 0.*got 8/,
  ],
  [
    'an unknown input',
    'input { name: "xx" data_type: TYPE_FP32 dims: 64 }',
    BATCHES,
    /input "xx": expected an input of the model \(x\) \(did you mean "x"/,
  ],
  [
    'an unknown output',
    'output { name: "probabilities" data_type: TYPE_FP32 dims: 10 }',
    BATCHES,
    /output "probabilities": expected/,
  ],
  [
    'an input left out',
    'input { name: "a" data_type: TYPE_FP32 dims: 1 }',
    signature([fp32('a', -1, 1), fp32('b', -1, 1)], [fp32('y', -1)]),
    /expected all 2 inputs of the model, missing "b"/,
  ],
  [
    'another data type',
    'input { name: "x" data_type: TYPE_FP64 dims: 64 }',
    BATCHES,
    /tensor "x": expected data type FP32 as in the model, got FP64/,
  ],
  [
    'another dimension',
    'input { name: "x" data_type: TYPE_FP32 dims: 65 }',
    BATCHES,
    /tensor "x": expected dims \[64\].*got \[65\]/,
  ],
  [
    '-1 where the model is fixed',
    'input { name: "x" data_type: TYPE_FP32 dims: -1 }',
    BATCHES,
    /expected dims \[64\].*got \[-1\]/,
  ],
  [
    'the batch dimension listed',
    `max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [ -1, 64 ] }`,
    BATCHES,
    /after the batch dimension, got \[-1, 64\]/,
  ],
  [
    'a scalar row without reshape',
    'input { name: "x" data_type: TYPE_FP32 dims: 1 }',
    ROW_SCALAR,
    /write reshape/,
  ],
  [
    'a reshape of other size',
    'input { name: "x" data_type: TYPE_FP32 dims: [ 8, 9 ] reshape { shape: 64 } }',
    BATCHES,
    /reshape: expected the same elements/,
  ],
  [
    'an empty reshape without batches',
    'max_batch_size: 0 input { name: "x" data_type: TYPE_FP32 dims: 1 reshape { } }',
    FIXED,
    /reshape: expected a shape/,
  ],
  [
    'a scalar listed with two elements',
    'input { name: "x" data_type: TYPE_FP32 dims: 2 }',
    SCALAR,
    /expected dims \[1\], because it is a scalar/,
  ],
  [
    'a preferred size above the maximum',
    'max_batch_size: 8 dynamic_batching { preferred_batch_size: 16 }',
    BATCHES,
    /expected at most max_batch_size \(8\), got 16/,
  ],
];

for (const [situation, text, model, message] of REFUSED) {
  t.test(`refused: ${situation}`, (t) => {
    t.throws(() => plan(text, model), { code: 'CONFIG_INVALID', message });
    t.end();
  });
}
