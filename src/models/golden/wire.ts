/**
 * V2 bodies of golden requests and answers, taken apart into tensors and put together again, for gates only: clients'
 * bodies are the addon's business. A body is JSON alone, or a JSON part with raw tensors behind it.
 */
import { DATA_TYPES, type DataType } from '../../core/data-types.js';
import { SluiceError } from '../../core/errors.js';
import { elementsOf, jsonToBytes } from './elements.js';

export interface GoldenTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  /** Raw form of V2: little-endian, BYTES with a length before each. */
  readonly bytes: Uint8Array;
}

export interface GoldenBody {
  readonly bytes: Uint8Array;
  /** Length of the JSON part; -1: all of it. */
  readonly headLength: number;
}

interface Head {
  readonly [side: string]: unknown;
}

function invalid(message: string): SluiceError {
  return new SluiceError('MODEL_INVALID', message);
}

function readHead({ bytes, headLength }: GoldenBody, where: string): Head {
  const text = Buffer.from(headLength < 0 ? bytes : bytes.subarray(0, headLength)).toString('utf8');
  try {
    // Integers beyond 2^53 and NaN do not survive JSON.parse: golden answers of such models are written in binary form.
    return JSON.parse(text) as Head;
  } catch (cause) {
    throw new SluiceError('MODEL_INVALID', `${where}: not JSON`, { cause });
  }
}

function isDataType(name: unknown): name is DataType {
  return typeof name === 'string' && Object.hasOwn(DATA_TYPES, name);
}

function isShape(shape: unknown): shape is number[] {
  return Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
}

/** `side` is `inputs` or `outputs`. */
export function readTensors(body: GoldenBody, side: 'inputs' | 'outputs', where: string): GoldenTensor[] {
  const listed = readHead(body, where)[side];
  if (!Array.isArray(listed) || listed.length === 0) throw invalid(`${where}: expected a list of ${side}`);
  let at = body.headLength < 0 ? body.bytes.byteLength : body.headLength;
  return listed.map((item: unknown) => {
    const { name, datatype, shape, data, parameters } = (item ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || !isDataType(datatype) || !isShape(shape))
      throw invalid(`${where} ${side}: expected name, datatype and shape of every tensor`);
    const elements = shape.reduce((product, dim) => product * dim, 1);
    const size = (parameters as { binary_data_size?: unknown } | undefined)?.binary_data_size;
    if (typeof size === 'number') {
      const bytes = body.bytes.subarray(at, at + size);
      at += size;
      if (bytes.byteLength !== size)
        throw invalid(`${where} tensor "${name}": its ${size} bytes are not there`);
      const wanted = elements * DATA_TYPES[datatype].bytes;
      if (datatype !== 'BYTES' && size !== wanted)
        throw invalid(
          `${where} tensor "${name}": expected ${wanted} bytes for ${datatype}[${shape.join(', ')}], got ${size}`,
        );
      return { name, datatype, shape, bytes };
    }
    return {
      name,
      datatype,
      shape,
      bytes: jsonToBytes(datatype, data, elements, `${where} tensor "${name}"`),
    };
  });
}

/** A request of raw tensors that asks for raw outputs. */
export function writeRequest(inputs: readonly GoldenTensor[]): GoldenBody {
  return write({ inputs: inputs.map(described), parameters: { binary_data_output: true } }, inputs);
}

/** An answer of raw tensors, as it is kept on disk. */
export function writeAnswer(outputs: readonly GoldenTensor[]): GoldenBody {
  return write({ outputs: outputs.map(described) }, outputs);
}

function described({ name, datatype, shape, bytes }: GoldenTensor): object {
  return { name, datatype, shape, parameters: { binary_data_size: bytes.byteLength } };
}

function write(head: object, tensors: readonly GoldenTensor[]): GoldenBody {
  const text = Buffer.from(JSON.stringify(head));
  return { bytes: Buffer.concat([text, ...tensors.map(({ bytes }) => bytes)]), headLength: text.byteLength };
}

/** The rows of several requests one behind the other, as one request. Shapes must agree behind the first dimension. */
export function joinRows(parts: ReadonlyArray<readonly GoldenTensor[]>): GoldenTensor[] | undefined {
  const [first = []] = parts;
  const joined: GoldenTensor[] = [];
  for (const tensor of first) {
    const same = parts.map((part) => part.find((other) => other.name === tensor.name));
    const rest = tensor.shape.slice(1).join();
    if (same.some((other) => other === undefined || other.shape.slice(1).join() !== rest)) return undefined;
    const present = same.filter((other) => other !== undefined);
    const rows = present.reduce((sum, other) => sum + (other.shape[0] ?? 0), 0);
    joined.push({
      ...tensor,
      shape: [rows, ...tensor.shape.slice(1)],
      bytes: Buffer.concat(present.map(({ bytes }) => bytes)),
    });
  }
  return joined;
}

/** `count` rows from `start` on. */
export function cutRows(tensor: GoldenTensor, start: number, count: number): GoldenTensor {
  const shape = [count, ...tensor.shape.slice(1)];
  const perRow = tensor.shape.slice(1).reduce((product, dim) => product * dim, 1);
  const { from, to } = elementsOf(tensor).span(start * perRow, (start + count) * perRow);
  return { ...tensor, shape, bytes: tensor.bytes.subarray(from, to) };
}
