/**
 * Owns: networks with random weights for tests and benchmarks: multi-layer perceptrons and the shape of ResNet-18.
 * Weights come from a fixed seed; they mean nothing, but keep activations in a sane range.
 */
import { constant, model, node, value } from './graph-builder.mjs';
import { seededRandom, uniformFloats } from './random.mjs';

/**
 * OUTPUT0 = last layer of Relu(... Relu(INPUT0 W0 + B0) ...), [batch, widths[0]] -> [batch, last width].
 * Constants are named W0, B0, W1, B1 ...; Wk is [inputs, outputs], row-major.
 */
export function perceptron(name, widths, seed) {
  const next = seededRandom(seed);
  const constants = [];
  const nodes = [];
  const lastLayer = widths.length - 2;
  let current = 'INPUT0';
  for (let layer = 0; layer <= lastLayer; layer += 1) {
    const [inputs, outputs] = [widths[layer], widths[layer + 1]];
    const weights = uniformFloats(next, inputs * outputs, Math.sqrt(6 / inputs));
    constants.push(constant(`W${layer}`, 'FP32', [inputs, outputs], weights));
    constants.push(constant(`B${layer}`, 'FP32', [outputs], uniformFloats(next, outputs, 0.1)));
    const isLast = layer === lastLayer;
    const sums = isLast ? 'OUTPUT0' : `sums${layer}`;
    nodes.push(node('Gemm', [current, `W${layer}`, `B${layer}`], [sums]));
    if (!isLast) nodes.push(node('Relu', [sums], [`active${layer}`]));
    current = `active${layer}`;
  }
  return model(name, {
    inputs: [value('INPUT0', 'FP32', ['batch', widths[0]])],
    outputs: [value('OUTPUT0', 'FP32', ['batch', widths.at(-1)])],
    nodes,
    constants,
  });
}

function convolutionWriter(nodes, constants, next) {
  return function convolution(name, from, { inputs, outputs, kernel, stride }) {
    const fanIn = inputs * kernel * kernel;
    const weights = uniformFloats(next, outputs * fanIn, Math.sqrt(3 / fanIn));
    constants.push(constant(`${name}_w`, 'FP32', [outputs, inputs, kernel, kernel], weights));
    constants.push(constant(`${name}_b`, 'FP32', [outputs], uniformFloats(next, outputs, 0.05)));
    const pad = (kernel - 1) / 2;
    const attributes = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    };
    nodes.push(node('Conv', [from, `${name}_w`, `${name}_b`], [name], attributes));
    return name;
  };
}

/** IMAGE [batch, 3, 224, 224] -> SCORES [batch, 1000]; batch normalisation is folded into the convolutions. */
export function resnet18(seed) {
  const next = seededRandom(seed);
  const nodes = [];
  const constants = [];
  const convolution = convolutionWriter(nodes, constants, next);
  const relu = (from) => {
    nodes.push(node('Relu', [from], [`${from}_relu`]));
    return `${from}_relu`;
  };

  let current = relu(convolution('stem', 'IMAGE', { inputs: 3, outputs: 64, kernel: 7, stride: 2 }));
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  nodes.push(node('MaxPool', [current], ['pooled'], pool));
  current = 'pooled';

  let inputs = 64;
  for (const [stage, outputs] of [64, 128, 256, 512].entries()) {
    for (let block = 0; block < 2; block += 1) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const name = `stage${stage}_block${block}`;
      const first = relu(convolution(`${name}_a`, current, { inputs, outputs, kernel: 3, stride }));
      const second = convolution(`${name}_b`, first, { inputs: outputs, outputs, kernel: 3, stride: 1 });
      const changesShape = stride !== 1 || inputs !== outputs;
      const skip = changesShape
        ? convolution(`${name}_skip`, current, { inputs, outputs, kernel: 1, stride })
        : current;
      nodes.push(node('Add', [second, skip], [`${name}_sum`]));
      current = relu(`${name}_sum`);
      inputs = outputs;
    }
  }

  nodes.push(node('GlobalAveragePool', [current], ['averaged']));
  nodes.push(node('Flatten', ['averaged'], ['features'], { axis: 1 }));
  constants.push(
    constant('scores_w', 'FP32', [512, 1000], uniformFloats(next, 512 * 1000, Math.sqrt(3 / 512))),
  );
  constants.push(constant('scores_b', 'FP32', [1000], uniformFloats(next, 1000, 0.05)));
  nodes.push(node('Gemm', ['features', 'scores_w', 'scores_b'], ['SCORES']));
  return model('resnet18', {
    inputs: [value('IMAGE', 'FP32', ['batch', 3, 224, 224])],
    outputs: [value('SCORES', 'FP32', ['batch', 1000])],
    nodes,
    constants,
  });
}
