/**
 * Owns: what the generated models must answer, worked out in float64 by other code than that which serves them.
 * Rows go in and come out as plain arrays; nothing here knows batches.
 */
import { readConstants } from './onnx-constants.js';

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs, outputs], row-major. */
  readonly weights: ArrayLike<number>;
  readonly biases: ArrayLike<number>;
}

/** The layers W0 B0, W1 B1 ... of a perceptron's model file. */
export function readLayers(modelFile: Buffer): Layer[] {
  const constants = readConstants(modelFile);
  const layers: Layer[] = [];
  for (;;) {
    const weights = constants.get(`W${layers.length}`);
    const biases = constants.get(`B${layers.length}`);
    if (!weights || !biases) break;
    const [inputs, outputs] = weights.dims;
    if (inputs === undefined || outputs === undefined)
      throw new Error(`expected W${layers.length} of rank 2`);
    layers.push({ inputs, outputs, weights: weights.floats, biases: biases.floats });
  }
  if (layers.length === 0) throw new Error('expected constants W0 and B0 in the model file, got none');
  return layers;
}

/** One row through the layers, with Relu between them. */
export function perceptron(layers: readonly Layer[], row: ArrayLike<number>): number[] {
  let current = Array.from(row);
  for (const [k, { inputs, outputs, weights, biases }] of layers.entries()) {
    if (current.length !== inputs)
      throw new Error(`expected ${inputs} values into layer ${k}, got ${current.length}`);
    const sums = Array.from(biases);
    for (let i = 0; i < inputs; i += 1) {
      for (let j = 0; j < outputs; j += 1) sums[j]! += current[i]! * weights[i * outputs + j]!;
    }
    current = k === layers.length - 1 ? sums : sums.map((sum) => Math.max(0, sum));
  }
  return current;
}

export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

export interface DigitAnswer {
  readonly probabilities: readonly number[];
  readonly label: number;
}

/** One image of 64 pixels, each 0..16, through the digit classifier. */
export function digit(layers: readonly Layer[], pixels: ArrayLike<number>): DigitAnswer {
  const probabilities = softmax(
    perceptron(
      layers,
      Array.from(pixels, (pixel) => pixel / 16),
    ),
  );
  return { probabilities, label: probabilities.indexOf(Math.max(...probabilities)) };
}

export interface SumAndDifference {
  readonly sum: number[];
  readonly difference: number[];
}

/** add_sub in FP32. */
export function addSub(a: readonly number[], b: readonly number[]): SumAndDifference {
  return {
    sum: a.map((x, i) => Math.fround(x + b[i]!)),
    difference: a.map((x, i) => Math.fround(x - b[i]!)),
  };
}

/** add_sub_int32: beyond 32 bits it wraps around. */
export function addSubInt32(a: readonly number[], b: readonly number[]): SumAndDifference {
  return { sum: a.map((x, i) => (x + b[i]!) | 0), difference: a.map((x, i) => (x - b[i]!) | 0) };
}

/** One row of varlen; the sum in float64, so compare with a tolerance or with small integers. */
export function variableLength(row: readonly number[]): { sum: number; doubled: number[] } {
  return { sum: row.reduce((total, x) => total + x, 0), doubled: row.map((x) => Math.fround(2 * x)) };
}

/** One row of failing; undefined where the run must fail. */
export function tableRow(id: number | bigint): number[] | undefined {
  const row = Number(id);
  return row >= 0 && row <= 9 ? [0, 1, 2, 3].map((j) => 10 * row + j) : undefined;
}

/** One row of external. */
export function embedding(id: number | bigint): number[] {
  return Array.from({ length: 8 }, (_, j) => Number(id) + j / 8);
}

/** Whether every value is near the truth, measured against the truth's own size. */
export function isClose(got: ArrayLike<number>, truth: ArrayLike<number>, tolerance = 1e-5): boolean {
  if (got.length !== truth.length) return false;
  return Array.from(truth).every((x, i) => Math.abs(got[i]! - x) <= tolerance * Math.max(1, Math.abs(x)));
}
