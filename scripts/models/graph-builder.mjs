/**
 * Owns: a small language for graphs: tensors, nodes, inputs and outputs, as plain objects of onnx-schema.mjs.
 * A dimension is a number, or a string that names a dimension which varies per request.
 */
import { ATTRIBUTE_TYPES, ELEMENT_TYPES, EXTERNAL_LOCATION, encodeModel } from './onnx-schema.mjs';

const ARRAY_TYPES = {
  FP32: Float32Array,
  FP64: Float64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  BOOL: Uint8Array,
};

function elementCount(dims) {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Little-endian bytes of an array of numbers; the machine that runs this is little-endian, as ONNX Runtime needs. */
export function rawBytes(datatype, values) {
  const ArrayType = ARRAY_TYPES[datatype];
  if (!ArrayType) throw new Error(`expected a data type with a typed array for a constant, got ${datatype}`);
  const isBig = ArrayType === BigInt64Array || ArrayType === BigUint64Array;
  const typed =
    values instanceof ArrayType ? values : ArrayType.from(isBig ? [...values].map(BigInt) : values);
  return Buffer.from(typed.buffer, typed.byteOffset, typed.byteLength);
}

/** A constant whose values lie inside the model file. */
export function constant(name, datatype, dims, values) {
  if (values.length !== elementCount(dims)) {
    throw new Error(`expected ${elementCount(dims)} values for constant '${name}', got ${values.length}`);
  }
  return { name, dims, dataType: ELEMENT_TYPES[datatype], rawData: rawBytes(datatype, values) };
}

/** A constant whose values lie in another file; `location` is written as it is, so that bad ones can be made. */
export function externalConstant(name, datatype, dims, { location, offset, length }) {
  const externalData = [{ key: 'location', value: location }];
  if (offset !== undefined) externalData.push({ key: 'offset', value: String(offset) });
  if (length !== undefined) externalData.push({ key: 'length', value: String(length) });
  return { name, dims, dataType: ELEMENT_TYPES[datatype], externalData, dataLocation: EXTERNAL_LOCATION };
}

/** An input or output of a graph. */
export function value(name, datatype, dims) {
  const dim = dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[datatype], shape: { dim } } } };
}

function attribute(name, given) {
  if (typeof given === 'string') return { name, type: ATTRIBUTE_TYPES.STRING, s: Buffer.from(given) };
  if (typeof given === 'number') return { name, type: ATTRIBUTE_TYPES.INT, i: given };
  if (Array.isArray(given)) return { name, type: ATTRIBUTE_TYPES.INTS, ints: given };
  if (given.float !== undefined) return { name, type: ATTRIBUTE_TYPES.FLOAT, f: given.float };
  if (given.graph !== undefined) return { name, type: ATTRIBUTE_TYPES.GRAPH, g: given.graph };
  throw new Error(`expected a string, integer, integers, {float} or {graph} for attribute '${name}'`);
}

/** One node. Attributes: string, integer, array of integers, `{ float }` or `{ graph }`. */
export function node(opType, inputs, outputs, attributes = {}) {
  return {
    opType,
    name: `${opType}_${outputs[0]}`,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([name, given]) => attribute(name, given)),
  };
}

export function graph(name, { inputs, outputs, nodes, constants = [] }) {
  return { name, input: inputs, output: outputs, node: nodes, initializer: constants };
}

/** Bytes of a model file. */
export function model(name, parts) {
  return encodeModel(graph(name, parts));
}
