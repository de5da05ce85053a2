/**
 * Tensors out of the bytes of an answer. Nothing that the server says is believed: sizes are compared with the bytes that
 * are there before anything is looked at.
 */
import { arrayOf, elementBytes, type DataType, type Tensor } from './data-types.js';
import { clientError } from './errors.js';

/** The output named `name` in `bytes`, or BAD_ANSWER where they are not what the shape needs. */
export function tensorOf(
  name: string,
  datatype: DataType,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw clientError('BAD_ANSWER', `expected a shape of output ${name}, got [${shape.join(',')}]`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const size = elementBytes(datatype);
  if (size === 0) return { name, datatype, shape, data: unpackBytes(name, elements, bytes) } as Tensor;
  if (elements * size === bytes.byteLength) {
    return { name, datatype, shape, data: arrayOf(datatype, bytes) } as Tensor;
  }
  throw clientError(
    'BAD_ANSWER',
    `expected ${elements * size} bytes for output ${name} of ${datatype} [${shape.join(',')}], got ${bytes.byteLength}`,
  );
}

/** An output may have any name, `__proto__` too. */
export function define(outputs: Record<string, Tensor>, name: string, tensor: Tensor): void {
  if (name === '__proto__') Object.defineProperty(outputs, name, { value: tensor, enumerable: true });
  else outputs[name] = tensor;
}

function unpackBytes(name: string, count: number, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= bytes.byteLength && elements.length < count) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.byteLength) break;
    elements.push(bytes.subarray(at + 4, end));
    at = end;
  }
  if (elements.length === count && at === bytes.byteLength) return elements;
  throw clientError(
    'BAD_ANSWER',
    `expected ${count} strings in output ${name}, got ${elements.length} and bytes that are none`,
  );
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The elements of a BYTES tensor as text; throws a TypeError where one is not UTF-8. */
export function toStrings(data: readonly Uint8Array[]): string[] {
  return data.map((element) => decoder.decode(element));
}

/** The elements of a BOOL tensor. */
export function toBooleans(data: Uint8Array): boolean[] {
  return Array.from(data, (element) => element !== 0);
}
