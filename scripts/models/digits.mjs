/**
 * Owns: the digit classifier's graph around weights that scripts/train-digits.py learned.
 * The pixels' scaling is part of the graph, so that clients send what the data set holds: 0 to 16.
 */
import { constant, model, node, value } from './graph-builder.mjs';

const BRIGHTEST_PIXEL = 16;

/**
 * `learned` = { layers: [{ weights: rows of numbers (inputs x outputs), biases: numbers }] }.
 * pixels [batch, 64] -> probabilities [batch, 10], label [batch, 1].
 */
export function digits(learned) {
  const constants = [constant('brightest', 'FP32', [], [BRIGHTEST_PIXEL])];
  const nodes = [node('Div', ['pixels', 'brightest'], ['scaled'])];
  let current = 'scaled';
  for (const [layer, { weights, biases }] of learned.layers.entries()) {
    constants.push(constant(`W${layer}`, 'FP32', [weights.length, biases.length], weights.flat()));
    constants.push(constant(`B${layer}`, 'FP32', [biases.length], biases));
    nodes.push(node('Gemm', [current, `W${layer}`, `B${layer}`], [`sums${layer}`]));
    current = `sums${layer}`;
    if (layer < learned.layers.length - 1) {
      nodes.push(node('Relu', [current], [`active${layer}`]));
      current = `active${layer}`;
    }
  }
  nodes.push(node('Softmax', [current], ['probabilities'], { axis: 1 }));
  nodes.push(node('ArgMax', [current], ['label'], { axis: 1, keepdims: 1 }));
  return model('digits', {
    inputs: [value('pixels', 'FP32', ['batch', 64])],
    outputs: [value('probabilities', 'FP32', ['batch', 10]), value('label', 'INT64', ['batch', 1])],
    nodes,
    constants,
  });
}
