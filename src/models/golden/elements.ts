/**
 * The elements of a tensor as numbers or texts, read one by one from its raw bytes, and raw bytes from JSON. For gates, where
 * a few kilobytes are compared once.
 */
import { DATA_TYPES, type DataType } from '../../core/data-types.js';
import { SluiceError } from '../../core/errors.js';

export type Element = number | bigint | string;

export interface Elements {
  readonly count: number;
  at(index: number): Element;
  /** Where elements `from` to `to` lie in the bytes. */
  span(from: number, to: number): { readonly from: number; readonly to: number };
}

/** IEEE 754 half precision. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const SCRATCH = new DataView(new ArrayBuffer(4));

function fromBrain(bits: number): number {
  SCRATCH.setUint32(0, bits * 65_536);
  return SCRATCH.getFloat32(0);
}

type Read = (view: DataView, at: number) => Element;

const READ: Readonly<Record<Exclude<DataType, 'BYTES'>, Read>> = {
  BOOL: (view, at) => view.getUint8(at),
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => view.getBigUint64(at, true),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => view.getBigInt64(at, true),
  FP16: (view, at) => fromHalf(view.getUint16(at, true)),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
  BF16: (view, at) => fromBrain(view.getUint16(at, true)),
};

function textElements(bytes: Uint8Array, view: DataView): Elements {
  const starts: number[] = [];
  let at = 0;
  while (at + 4 <= bytes.byteLength) {
    starts.push(at);
    at += 4 + view.getUint32(at, true);
  }
  const startOf = (index: number): number => starts[index] ?? bytes.byteLength;
  return {
    count: starts.length,
    at: (index) => Buffer.from(bytes.subarray(startOf(index) + 4, startOf(index + 1))).toString('latin1'),
    span: (from, to) => ({ from: startOf(from), to: startOf(to) }),
  };
}

export function elementsOf(tensor: { readonly datatype: DataType; readonly bytes: Uint8Array }): Elements {
  const { datatype, bytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype === 'BYTES') return textElements(bytes, view);
  const size = DATA_TYPES[datatype].bytes;
  const read = READ[datatype];
  return {
    count: Math.floor(bytes.byteLength / size),
    at: (index) => read(view, index * size),
    span: (from, to) => ({ from: from * size, to: to * size }),
  };
}

type Write = (view: DataView, at: number, value: number | bigint) => void;

const WRITE: Partial<Record<DataType, Write>> = {
  BOOL: (view, at, value) => {
    view.setUint8(at, Number(value));
  },
  UINT8: (view, at, value) => {
    view.setUint8(at, Number(value));
  },
  UINT16: (view, at, value) => {
    view.setUint16(at, Number(value), true);
  },
  UINT32: (view, at, value) => {
    view.setUint32(at, Number(value), true);
  },
  UINT64: (view, at, value) => {
    view.setBigUint64(at, BigInt(value), true);
  },
  INT8: (view, at, value) => {
    view.setInt8(at, Number(value));
  },
  INT16: (view, at, value) => {
    view.setInt16(at, Number(value), true);
  },
  INT32: (view, at, value) => {
    view.setInt32(at, Number(value), true);
  },
  INT64: (view, at, value) => {
    view.setBigInt64(at, BigInt(value), true);
  },
  FP32: (view, at, value) => {
    view.setFloat32(at, Number(value), true);
  },
  FP64: (view, at, value) => {
    view.setFloat64(at, Number(value), true);
  },
};

function textBytes(values: readonly unknown[], where: string): Uint8Array {
  const parts = values.map((value) => {
    if (typeof value !== 'string')
      throw new SluiceError('MODEL_INVALID', `${where}: expected strings for BYTES, got ${typeof value}`);
    const text = Buffer.from(value, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.byteLength);
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}

/** `data` of a V2 JSON tensor, flat or nested. */
export function jsonToBytes(datatype: DataType, data: unknown, count: number, where: string): Uint8Array {
  if (!Array.isArray(data)) throw new SluiceError('MODEL_INVALID', `${where}: expected data`);
  const values = (data as unknown[]).flat(Infinity);
  if (values.length !== count)
    throw new SluiceError('MODEL_INVALID', `${where}: expected ${count} elements, got ${values.length}`);
  if (datatype === 'BYTES') return textBytes(values, where);
  const write = WRITE[datatype];
  if (write === undefined)
    throw new SluiceError('MODEL_INVALID', `${where}: ${datatype} is written in binary form, JSON has none`);
  const size = DATA_TYPES[datatype].bytes;
  const bytes = new Uint8Array(count * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    const isWhole = typeof value === 'boolean' || Number.isSafeInteger(value);
    const fits = datatype === 'FP32' || datatype === 'FP64' ? typeof value === 'number' : isWhole;
    if (!fits)
      throw new SluiceError(
        'MODEL_INVALID',
        `${where} element ${index}: expected ${datatype}, got ${JSON.stringify(value)}`,
      );
    write(view, index * size, typeof value === 'boolean' ? Number(value) : (value as number));
  });
  return bytes;
}
