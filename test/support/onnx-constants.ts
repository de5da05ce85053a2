/**
 * Owns: reading the FP32 constants of an ONNX file by walking its protobuf fields by hand, apart from the writer's schema.
 */
export interface Constant {
  readonly dims: readonly number[];
  readonly floats: Float32Array;
}

interface Field {
  readonly number: number;
  /** A varint's value; absent for bytes. */
  readonly integer?: number;
  readonly bytes?: Buffer;
}

const GRAPH_OF_MODEL = 7;
const INITIALIZER_OF_GRAPH = 5;
const DIMS = 1;
const ELEMENT_TYPE = 2;
const NAME = 8;
const RAW = 9;
const FLOAT = 1;

/** A varint at `at`, and where it ends. */
function varint(message: Buffer, at: number): [value: number, end: number] {
  let result = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = message[at];
    if (byte === undefined) throw new Error(`expected a varint, got the end at byte ${at}`);
    at += 1;
    result += (byte & 127) * scale;
    if (byte < 128) return [result, at];
  }
}

function packedIntegers(bytes: Buffer): number[] {
  const integers: number[] = [];
  for (let at = 0, integer: number; at < bytes.length; integers.push(integer))
    [integer, at] = varint(bytes, at);
  return integers;
}

function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  while (at < message.length) {
    let key: number;
    let value: number;
    [key, at] = varint(message, at);
    const [number, wireType] = [Math.floor(key / 8), key % 8];
    if (wireType === 1 || wireType === 5) {
      at += wireType === 1 ? 8 : 4;
      continue;
    }
    if (wireType !== 0 && wireType !== 2)
      throw new Error(`expected a wire type of protobuf, got ${wireType}`);
    [value, at] = varint(message, at);
    if (wireType === 0) {
      yield { number, integer: value };
    } else {
      yield { number, bytes: message.subarray(at, at + value) };
      at += value;
    }
  }
}

function readConstant(message: Buffer): { name: string; constant: Constant | undefined } {
  const dims: number[] = [];
  let [name, type] = ['', 0];
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, integer, bytes } of fieldsOf(message)) {
    if (number === DIMS && integer !== undefined) dims.push(integer);
    // Writers differ: repeated integers come one by one, or packed into one field.
    if (number === DIMS && bytes) dims.push(...packedIntegers(bytes));
    if (number === ELEMENT_TYPE && integer !== undefined) type = integer;
    if (number === NAME && bytes) name = bytes.toString('utf8');
    if (number === RAW && bytes) raw = bytes;
  }
  if (type !== FLOAT) return { name, constant: undefined };
  // A copy, because a Float32Array must start at a multiple of four.
  return { name, constant: { dims, floats: new Float32Array(Uint8Array.from(raw).buffer) } };
}

/** FP32 constants of a model file by name; those in external files come out empty. */
export function readConstants(modelFile: Buffer): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const outer of fieldsOf(modelFile)) {
    if (outer.number !== GRAPH_OF_MODEL || !outer.bytes) continue;
    for (const inner of fieldsOf(outer.bytes)) {
      if (inner.number !== INITIALIZER_OF_GRAPH || !inner.bytes) continue;
      const { name, constant } = readConstant(inner.bytes);
      if (constant) constants.set(name, constant);
    }
  }
  return constants;
}
