/**
 * Owns: the small models whose answers are known without running them: identity, sums, shapes of every kind, two versions.
 */
import { ELEMENT_TYPES } from './onnx-schema.mjs';
import { constant, model, node, value } from './graph-builder.mjs';

export const IDENTITY_DATATYPES = Object.keys(ELEMENT_TYPES);

/** OUTPUT0 = INPUT0, [batch, length] of one data type. */
export function identity(datatype) {
  return model(`identity_${datatype.toLowerCase()}`, {
    inputs: [value('INPUT0', datatype, ['batch', 'length'])],
    outputs: [value('OUTPUT0', datatype, ['batch', 'length'])],
    nodes: [node('Identity', ['INPUT0'], ['OUTPUT0'])],
  });
}

/** Y = X rounded to BF16, which only the middle of the graph holds: for the self-check. */
export function bfloat16Inside() {
  return model('bfloat16_inside', {
    inputs: [value('X', 'FP32', ['batch', 'length'])],
    outputs: [value('Y', 'FP32', ['batch', 'length'])],
    nodes: [
      node('Cast', ['X'], ['narrow'], { to: ELEMENT_TYPES.BF16 }),
      node('Identity', ['narrow'], ['same']),
      node('Cast', ['same'], ['Y'], { to: ELEMENT_TYPES.FP32 }),
    ],
  });
}

/** OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1, [batch, 16]. */
export function addSub(datatype) {
  return model('add_sub', {
    inputs: [value('INPUT0', datatype, ['batch', 16]), value('INPUT1', datatype, ['batch', 16])],
    outputs: [value('OUTPUT0', datatype, ['batch', 16]), value('OUTPUT1', datatype, ['batch', 16])],
    nodes: [node('Add', ['INPUT0', 'INPUT1'], ['OUTPUT0']), node('Sub', ['INPUT0', 'INPUT1'], ['OUTPUT1'])],
  });
}

/** Y = X + 1, both of rank 0. */
export function scalar() {
  return model('scalar', {
    inputs: [value('X', 'FP32', [])],
    outputs: [value('Y', 'FP32', [])],
    nodes: [node('Add', ['X', 'one'], ['Y'])],
    constants: [constant('one', 'FP32', [], [1])],
  });
}

/** Y = -X, rank 5 with two varying dimensions beside each other's fixed ones. */
export function rank5() {
  const dims = ['batch', 2, 'depth', 3, 2];
  return model('rank5', {
    inputs: [value('X', 'FP32', dims)],
    outputs: [value('Y', 'FP32', dims)],
    nodes: [node('Neg', ['X'], ['Y'])],
  });
}

/** TRANSPOSED = MATRIX turned over, [2, 3] -> [3, 2]: no batch dimension, and the order of elements shows. */
export function fixedShape() {
  return model('fixed_shape', {
    inputs: [value('MATRIX', 'FP32', [2, 3])],
    outputs: [value('TRANSPOSED', 'FP32', [3, 2])],
    nodes: [node('Transpose', ['MATRIX'], ['TRANSPOSED'], { perm: [1, 0] })],
  });
}

/** JOINED = LEFT followed by RIGHT in every row; either may have length 0. */
export function join() {
  return model('join', {
    inputs: [value('LEFT', 'INT64', ['batch', 'left']), value('RIGHT', 'INT64', ['batch', 'right'])],
    outputs: [value('JOINED', 'INT64', ['batch', 'joined'])],
    nodes: [node('Concat', ['LEFT', 'RIGHT'], ['JOINED'], { axis: 1 })],
  });
}

/** SUM = sum of each row, DOUBLED = 2 * X at the row's own length. */
export function variableLength() {
  return model('varlen', {
    inputs: [value('X', 'FP32', ['batch', 'length'])],
    outputs: [value('SUM', 'FP32', ['batch', 1]), value('DOUBLED', 'FP32', ['batch', 'length'])],
    nodes: [
      node('ReduceSum', ['X', 'last_axis'], ['SUM'], { keepdims: 1 }),
      node('Mul', ['X', 'two'], ['DOUBLED']),
    ],
    constants: [constant('last_axis', 'INT64', [1], [1]), constant('two', 'FP32', [], [2])],
  });
}

/**
 * A text encoder in small: POOLED = mean of the ids where the mask is 1, HIDDEN = (id, id / 2) at every position, SCORES = products of every two ids. Only POOLED looks at the mask.
 */
export function tokens() {
  return model('tokens', {
    inputs: [
      value('input_ids', 'INT64', ['batch', 'length']),
      value('attention_mask', 'INT64', ['batch', 'length']),
    ],
    outputs: [
      value('POOLED', 'FP32', ['batch', 1]),
      value('HIDDEN', 'FP32', ['batch', 'length', 2]),
      value('SCORES', 'INT64', ['batch', 'length', 'length']),
    ],
    nodes: [
      node('Mul', ['input_ids', 'attention_mask'], ['real_ids']),
      node('Cast', ['real_ids'], ['real_floats'], { to: ELEMENT_TYPES.FP32 }),
      node('Cast', ['attention_mask'], ['mask_floats'], { to: ELEMENT_TYPES.FP32 }),
      node('ReduceSum', ['real_floats', 'last_axis'], ['sum'], { keepdims: 1 }),
      node('ReduceSum', ['mask_floats', 'last_axis'], ['count'], { keepdims: 1 }),
      node('Div', ['sum', 'count'], ['POOLED']),
      node('Cast', ['input_ids'], ['ids'], { to: ELEMENT_TYPES.FP32 }),
      node('Unsqueeze', ['ids', 'axis_2'], ['ids_column']),
      node('Mul', ['ids_column', 'one_and_half'], ['HIDDEN']),
      node('Unsqueeze', ['input_ids', 'axis_2'], ['column']),
      node('Unsqueeze', ['input_ids', 'last_axis'], ['row']),
      node('Mul', ['column', 'row'], ['SCORES']),
    ],
    constants: [
      constant('last_axis', 'INT64', [1], [1]),
      constant('axis_2', 'INT64', [1], [2]),
      constant('one_and_half', 'FP32', [2], [1, 0.5]),
    ],
  });
}

/** OUTPUT0 = INPUT0 + added, [batch, 4]: the answer tells which version ran. */
export function plusConstant(added) {
  return model('versioned', {
    inputs: [value('INPUT0', 'FP32', ['batch', 4])],
    outputs: [value('OUTPUT0', 'FP32', ['batch', 4])],
    nodes: [node('Add', ['INPUT0', 'added'], ['OUTPUT0'])],
    constants: [constant('added', 'FP32', [], [added])],
  });
}
