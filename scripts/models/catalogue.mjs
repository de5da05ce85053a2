/**
 * Owns: the list of generated models: name, size class, configuration, and the files of each version.
 * `small` ones are what tests need and take a moment; `large` ones are for benchmarks and are never committed.
 */
import { IDENTITY_DATATYPES, addSub, fixedShape, identity, join } from './elementwise.mjs';
import { plusConstant, rank5, scalar, tokens, variableLength } from './elementwise.mjs';
import { perceptron, resnet18 } from './networks.mjs';
import { EXTERNAL_FILE, alwaysFails, external, externalWeights, failing, slow } from './troublesome.mjs';

function batching(maxBatchRows) {
  return `max_batch_size: ${maxBatchRows}\ndynamic_batching { }\n`;
}

function onlyModel(make) {
  return { 1: () => ({ 'model.onnx': make() }) };
}

const ADD_SUB_INT32_CONFIG = `# The classic example of a Triton repository, written out in full.
name: "add_sub_int32"
platform: "onnxruntime_onnx"
max_batch_size: 8  # rows; every tensor has a batch dimension in front of its dims
input [
  {
    name: "INPUT0"
    data_type: TYPE_INT32
    dims: [ 16 ]
  },
  {
    name: "INPUT1"
    data_type: TYPE_INT32
    dims: [ 16 ]
  }
]
output [
  {
    name: "OUTPUT0"  # the sum
    data_type: TYPE_INT32
    dims: [ 16 ]
  },
  {
    name: "OUTPUT1"  # the difference
    data_type: TYPE_INT32
    dims: [ 16 ]
  }
]
`;

const TOKENS_CONFIG = `max_batch_size: 32
dynamic_batching { }
parameters {
  key: "sluice.padding"
  value { string_value: '[{"inputs": {"input_ids": {}}, "lengths": [4, 8, 16, 32], "mask": "attention_mask"}]' }
}
parameters { key: "sluice.split" value { string_value: "true" } }
`;

function small(name, config, versions) {
  return { name, size: 'small', config, versions };
}

function large(name, config, versions) {
  return { name, size: 'large', config, versions };
}

/** `versions` maps a version to a function that returns its files; `config` is the text of config.pbtxt, if any. */
export const CATALOGUE = [
  ...IDENTITY_DATATYPES.map((datatype) =>
    small(
      `identity_${datatype.toLowerCase()}`,
      batching(32),
      onlyModel(() => identity(datatype)),
    ),
  ),
  small('scalar', undefined, onlyModel(scalar)),
  small('rank5', batching(8), onlyModel(rank5)),
  small('fixed_shape', 'max_batch_size: 0\n', onlyModel(fixedShape)),
  small('join', batching(16), onlyModel(join)),
  small('varlen', batching(32), onlyModel(variableLength)),
  small('tokens', TOKENS_CONFIG, onlyModel(tokens)),
  small(
    'add_sub',
    undefined,
    onlyModel(() => addSub('FP32')),
  ),
  small(
    'add_sub_int32',
    ADD_SUB_INT32_CONFIG,
    onlyModel(() => addSub('INT32')),
  ),
  small('versioned', 'max_batch_size: 16\nversion_policy { all { } }\n', {
    1: () => ({ 'model.onnx': plusConstant(1) }),
    2: () => ({ 'model.onnx': plusConstant(2) }),
  }),
  small(
    'tiny',
    batching(64),
    onlyModel(() => perceptron('tiny', [64, 64, 10], 1)),
  ),
  small('slow', batching(16), onlyModel(slow)),
  small('failing', batching(32), onlyModel(failing)),
  small('always_fails', batching(8), onlyModel(alwaysFails)),
  small('external', batching(32), {
    1: () => ({ 'model.onnx': external(), [EXTERNAL_FILE]: externalWeights() }),
  }),
  large(
    'mid',
    batching(64),
    onlyModel(() => perceptron('mid', [512, 2048, 2048, 512, 10], 2)),
  ),
  large(
    'resnet18',
    batching(8),
    onlyModel(() => resnet18(3)),
  ),
];
