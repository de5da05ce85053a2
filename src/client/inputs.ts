/**
 * What a caller gives for the inputs, as tensors ready to be written: data type and shape are what the caller says, else
 * what the model's signature says, else what the array says. Bytes are views of the caller's arrays wherever they can be.
 */
import { dataTypesOf, elementBytes, isDataType, type DataType, type InputData } from './data-types.js';
import { InferError } from './errors.js';
import type { InferOptions, Inputs, ModelInfo, ShapedInput, TensorInfo } from './model.js';

export interface EncodedInput {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const MOST_DIMENSIONS = 16;
const encoder = new TextEncoder();

/** `model` undefined: nothing is known of it, and the server will say what it thinks of the request. */
export function encodeInputs(
  inputs: Inputs,
  model: ModelInfo | undefined,
  options: InferOptions,
): EncodedInput[] {
  return Object.entries(inputs).map(([name, given]) => {
    const info = model?.inputs.find((input) => input.name === name);
    const input: ShapedInput = isShaped(given) ? given : { data: given };
    const datatype = chooseDataType(name, input, info);
    const count = countOf(input.data, datatype);
    const said = input.shape ?? shapeFor(name, options.shape);
    const shape = said === undefined ? deriveShape(name, count, info) : checkShape(name, said, count);
    return { name, datatype, shape, bytes: bytesOf(name, input.data, datatype) };
  });
}

function isShaped(given: InputData | ShapedInput | null | undefined): given is ShapedInput {
  return (
    typeof given === 'object' &&
    given !== null &&
    !Array.isArray(given) &&
    !ArrayBuffer.isView(given) &&
    'data' in given
  );
}

function chooseDataType(
  name: string,
  { data, datatype }: ShapedInput,
  info: TensorInfo | undefined,
): DataType {
  const possible = dataTypesOf(data);
  const [usual] = possible;
  if (usual === undefined) {
    throw new InferError(
      'TYPE_MISMATCH',
      `expected a typed array, or an array of strings, Uint8Arrays or booleans for input ${name}, got ${nameOf(data)}`,
    );
  }
  const wanted = datatype ?? info?.datatype;
  if (wanted === undefined) return usual;
  if (possible.includes(wanted)) return wanted;
  const expected = isDataType(wanted) ? `data of ${wanted}` : 'one of the V2 data types';
  throw new InferError(
    'TYPE_MISMATCH',
    `expected ${expected} for input ${name}, got ${nameOf(data)} (${possible.join(' or ')})`,
  );
}

function nameOf(data: unknown): string {
  if (data === null || data === undefined) return String(data);
  if (Array.isArray(data))
    return `an array of ${data[0] instanceof Uint8Array ? 'Uint8Array' : typeof data[0]}`;
  return typeof data === 'object'
    ? ((data.constructor as { readonly name: string } | undefined)?.name ?? 'an object')
    : typeof data;
}

function countOf(data: InputData, datatype: DataType): number {
  if (!ArrayBuffer.isView(data)) return data.length;
  return data.byteLength / elementBytes(datatype);
}

function shapeFor(name: string, shape: InferOptions['shape']): readonly number[] | undefined {
  if (shape === undefined || Array.isArray(shape)) return shape as readonly number[] | undefined;
  const byName = shape as Readonly<Record<string, readonly number[]>>;
  return Object.hasOwn(byName, name) ? byName[name] : undefined;
}

function checkShape(name: string, shape: readonly number[], count: number): readonly number[] {
  if (shape.length > MOST_DIMENSIONS || shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new InferError(
      'SHAPE_MISMATCH',
      `expected at most ${MOST_DIMENSIONS} whole numbers from 0 up for the shape of input ${name}, got [${shape.join(',')}]`,
    );
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements === count) return shape;
  throw new InferError(
    'SHAPE_MISMATCH',
    `expected ${elements} elements for input ${name} of shape [${shape.join(',')}], got ${count}`,
  );
}

/** The one dimension that varies follows from the number of elements. */
function deriveShape(name: string, count: number, info: TensorInfo | undefined): readonly number[] {
  if (info === undefined) return [count];
  const known = info.shape.filter((size) => size >= 0).reduce((product, size) => product * size, 1);
  const open = info.shape.filter((size) => size < 0).length;
  if (open > 1) {
    throw new InferError(
      'SHAPE_MISMATCH',
      `expected a shape for input ${name}: more than one dimension of [${info.shape.join(',')}] varies`,
    );
  }
  const rest = count / known;
  const isFit = open === 0 ? count === known : Number.isSafeInteger(rest);
  if (isFit) return open === 0 ? info.shape : info.shape.map((size) => (size < 0 ? rest : size));
  throw new InferError(
    'SHAPE_MISMATCH',
    `expected ${open === 0 ? known : `a multiple of ${known}`} elements for input ${name} of shape [${info.shape.join(',')}], got ${count}`,
  );
}

function bytesOf(name: string, data: InputData, datatype: DataType): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (datatype === 'BOOL') return booleanBytes(name, data);
  return packBytes(name, data as readonly (string | Uint8Array)[]);
}

function booleanBytes(name: string, data: readonly unknown[]): Uint8Array {
  const wrong = data.findIndex((element) => typeof element !== 'boolean');
  if (wrong < 0) return Uint8Array.from(data as readonly boolean[], Number);
  throw new InferError(
    'TYPE_MISMATCH',
    `expected booleans for input ${name}, got ${typeof data[wrong]} at ${wrong}`,
  );
}

/** Each element's length as a little-endian uint32, then its bytes. */
function packBytes(name: string, data: readonly (string | Uint8Array)[]): Uint8Array {
  const elements = data.map((element, index) => {
    if (typeof element === 'string') return encoder.encode(element);
    if (element instanceof Uint8Array) return element;
    throw new InferError(
      'TYPE_MISMATCH',
      `expected strings or Uint8Arrays for input ${name}, got ${typeof element} at ${index}`,
    );
  });
  const packed = new Uint8Array(elements.reduce((sum, element) => sum + 4 + element.byteLength, 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    packed.set(element, at + 4);
    at += 4 + element.byteLength;
  }
  return packed;
}
