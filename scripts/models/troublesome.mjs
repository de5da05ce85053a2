/**
 * Owns: models that load and then misbehave: one that is slow, one that fails on some inputs, one that always fails,
 * and one whose weights lie in another file.
 */
import { constant, externalConstant, graph, model, node, rawBytes, value } from './graph-builder.mjs';
import { ELEMENT_TYPES } from './onnx-schema.mjs';
import { seededRandom, uniformFloats } from './random.mjs';

const SLOW_WIDTH = 128;
const SLOW_STEPS = 60000;

/**
 * Nodes by which `output` is the FP32 tensor `input` after a loop of many small steps, whose time does not depend on the batch.
 * What the loop computes hangs on the input's shape alone (so that it cannot be folded away, and no row can touch
 * another), and is multiplied by 0 before it is added.
 */
export function slowPath(input, output, steps = SLOW_STEPS) {
  const mix = uniformFloats(seededRandom(11), SLOW_WIDTH * SLOW_WIDTH, Math.sqrt(3 / SLOW_WIDTH));
  const body = graph('slow_step', {
    inputs: [
      value('step', 'INT64', []),
      value('go_in', 'BOOL', []),
      value('before', 'FP32', [1, SLOW_WIDTH]),
    ],
    outputs: [value('go_out', 'BOOL', []), value('after', 'FP32', [1, SLOW_WIDTH])],
    nodes: [
      node('Identity', ['go_in'], ['go_out']),
      node('MatMul', ['before', 'mix'], ['mixed']),
      node('Tanh', ['mixed'], ['after']),
    ],
  });
  return {
    nodes: [
      node('Shape', [input], ['shape']),
      node('Cast', ['shape'], ['shape_float'], { to: ELEMENT_TYPES.FP32 }),
      node('ReduceMin', ['shape_float'], ['smallest'], { keepdims: 0 }),
      node('Mul', ['smallest', 'zero'], ['start_zero']),
      node('Add', ['seed_row', 'start_zero'], ['start']),
      node('Loop', ['steps', 'go', 'start'], ['last'], { body: { graph: body } }),
      node('ReduceSum', ['last', 'both_axes'], ['total'], { keepdims: 0 }),
      node('Mul', ['total', 'zero'], ['nothing']),
      node('Add', [input, 'nothing'], [output]),
    ],
    constants: [
      constant('steps', 'INT64', [], [steps]),
      constant('go', 'BOOL', [], [1]),
      constant('zero', 'FP32', [], [0]),
      constant('both_axes', 'INT64', [2], [0, 1]),
      constant('seed_row', 'FP32', [1, SLOW_WIDTH], new Float32Array(SLOW_WIDTH).fill(0.5)),
      constant('mix', 'FP32', [SLOW_WIDTH, SLOW_WIDTH], mix),
    ],
  };
}

/** Y = X, [batch, 4], slowly, or for as long as anybody waits. */
export function slow(steps = SLOW_STEPS) {
  return model('slow', {
    inputs: [value('X', 'FP32', ['batch', 4])],
    outputs: [value('Y', 'FP32', ['batch', 4])],
    ...slowPath('X', 'Y', steps),
  });
}

/**
 * Nodes by which `output` is the FP32 tensor `input`, [batch, columns], where no element is above `most`; with a larger one
 * the whole run fails, with all its rows: the shape asked for then has one column too many.
 */
export function failingPath(input, output, most) {
  return {
    nodes: [
      node('Greater', [input, 'most'], ['beyond']),
      node('Cast', ['beyond'], ['beyond_count'], { to: ELEMENT_TYPES.INT64 }),
      node('ReduceMax', ['beyond_count'], ['any_beyond'], { keepdims: 0 }),
      node('Mul', ['any_beyond', 'widen'], ['extra']),
      node('Shape', [input], ['shape']),
      node('Add', ['shape', 'extra'], ['target']),
      node('Reshape', [input, 'target'], [output]),
    ],
    constants: [constant('most', 'FP32', [], [most]), constant('widen', 'INT64', [2], [0, 1])],
  };
}

/**
 * ROW = table[ID], table[i][j] = 10 i + j. An ID outside of 0..9 makes the whole run fail, with all its rows: the shape
 * asked for then has one column too many. (Gather itself would not do: it takes negative IDs, and on a GPU any ID.)
 */
export function failing() {
  const table = Float32Array.from({ length: 40 }, (_, i) => 10 * Math.floor(i / 4) + (i % 4));
  return model('failing', {
    inputs: [value('ID', 'INT64', ['batch', 1])],
    outputs: [value('ROW', 'FP32', ['batch', 4])],
    nodes: [
      node('Clip', ['ID', 'first', 'last'], ['safe_id']),
      node('Gather', ['table', 'safe_id'], ['found'], { axis: 0 }),
      node('Squeeze', ['found', 'middle_axis'], ['rows']),
      node('Less', ['ID', 'first'], ['below']),
      node('Greater', ['ID', 'last'], ['above']),
      node('Or', ['below', 'above'], ['outside']),
      node('Cast', ['outside'], ['outside_count'], { to: ELEMENT_TYPES.INT64 }),
      node('ReduceMax', ['outside_count'], ['any_outside'], { keepdims: 0 }),
      node('Mul', ['any_outside', 'widen'], ['extra']),
      node('Shape', ['rows'], ['shape']),
      node('Add', ['shape', 'extra'], ['target']),
      node('Reshape', ['rows', 'target'], ['ROW']),
    ],
    constants: [
      constant('table', 'FP32', [10, 4], table),
      constant('first', 'INT64', [], [0]),
      constant('last', 'INT64', [], [9]),
      constant('middle_axis', 'INT64', [1], [1]),
      constant('widen', 'INT64', [2], [0, 1]),
    ],
  });
}

/**
 * Y = X reshaped from [batch, 4] to [batch, 5], which cannot be; the shape is computed, so loading sees nothing.
 * It is computed by Add: a Concat of shape and constant would be fused into -1, which fits where 5 divides the batch.
 */
export function alwaysFails() {
  return model('always_fails', {
    inputs: [value('X', 'FP32', ['batch', 4])],
    outputs: [value('Y', 'FP32', ['batch', 5])],
    nodes: [
      node('Shape', ['X'], ['shape']),
      node('Add', ['shape', 'widen'], ['target']),
      node('Reshape', ['X', 'target'], ['Y']),
    ],
    constants: [constant('widen', 'INT64', [2], [0, 1])],
  });
}

export const EXTERNAL_ROWS = 1000;
export const EXTERNAL_WIDTH = 8;
export const EXTERNAL_FILE = 'weights.bin';

/** The external table: table[i][j] = i + j / 8, exact in FP32. */
export function externalWeights() {
  const length = EXTERNAL_ROWS * EXTERNAL_WIDTH;
  const table = Float32Array.from(
    { length },
    (_, i) => Math.floor(i / EXTERNAL_WIDTH) + (i % EXTERNAL_WIDTH) / 8,
  );
  return rawBytes('FP32', table);
}

/** EMBEDDING = table[ID]; the table lies in the file at `location`, beside the model. */
export function external({
  location = EXTERNAL_FILE,
  offset = 0,
  length = EXTERNAL_ROWS * EXTERNAL_WIDTH * 4,
} = {}) {
  return model('external', {
    inputs: [value('ID', 'INT64', ['batch', 1])],
    outputs: [value('EMBEDDING', 'FP32', ['batch', EXTERNAL_WIDTH])],
    nodes: [
      node('Gather', ['table', 'ID'], ['rows'], { axis: 0 }),
      node('Squeeze', ['rows', 'middle_axis'], ['EMBEDDING']),
    ],
    constants: [
      externalConstant('table', 'FP32', [EXTERNAL_ROWS, EXTERNAL_WIDTH], { location, offset, length }),
      constant('middle_axis', 'INT64', [1], [1]),
    ],
  });
}
