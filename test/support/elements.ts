/**
 * Owns: the values of V2 data types as bytes, written apart from the server's code: packing, unpacking, FP16, BF16, BYTES.
 * 64-bit integers are bigint, BOOL is boolean, an element of BYTES is a Uint8Array, everything else is a number.
 */
export type Element = number | bigint | boolean | Uint8Array;

/** FP16 from its 16 bits. */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest > 0.5 ? below + 1 : below;
  return below % 2 === 0 ? below : below + 1;
}

/** The 16 bits of the FP16 nearest to `x`; a tie goes to the even one. */
export function encodeHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  let exponent = -14;
  while (size >= 2 ** (exponent + 1)) exponent += 1;
  // Below 2^-14 the steps stay as they are at 2^-14; a carry out of the fraction moves the exponent by itself.
  return sign | (((exponent + 14) << 10) + roundHalfToEven(size / 2 ** (exponent - 10)));
}

/** BF16 from its 16 bits: the upper half of an FP32. */
export function decodeBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65536).buffer)[0]!;
}

/** The 16 bits of the BF16 nearest to the FP32 `x`; a tie goes to the even one. */
export function encodeBfloat16(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0]!;
  return roundHalfToEven(bits / 65536);
}

/** Each element's length as a little-endian uint32, then its bytes. */
export function packBytes(elements: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}

export function unpackBytes(packed: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  let at = 0;
  while (at < packed.length) {
    if (at + 4 > packed.length)
      throw new Error(`expected a length of 4 bytes at ${at}, got ${packed.length - at}`);
    const end = at + 4 + packed.readUInt32LE(at);
    if (end > packed.length)
      throw new Error(`expected an element up to byte ${end}, got ${packed.length} bytes`);
    elements.push(packed.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

interface FixedSize {
  readonly bytes: number;
  write(view: DataView, at: number, element: Element): void;
  read(view: DataView, at: number): Element;
}

const FIXED: Record<string, FixedSize> = {
  BOOL: { bytes: 1, write: (v, at, x) => v.setUint8(at, x ? 1 : 0), read: (v, at) => v.getUint8(at) !== 0 },
  UINT8: { bytes: 1, write: (v, at, x) => v.setUint8(at, Number(x)), read: (v, at) => v.getUint8(at) },
  UINT16: {
    bytes: 2,
    write: (v, at, x) => v.setUint16(at, Number(x), true),
    read: (v, at) => v.getUint16(at, true),
  },
  UINT32: {
    bytes: 4,
    write: (v, at, x) => v.setUint32(at, Number(x), true),
    read: (v, at) => v.getUint32(at, true),
  },
  UINT64: {
    bytes: 8,
    write: (v, at, x) => v.setBigUint64(at, big(x), true),
    read: (v, at) => v.getBigUint64(at, true),
  },
  INT8: { bytes: 1, write: (v, at, x) => v.setInt8(at, Number(x)), read: (v, at) => v.getInt8(at) },
  INT16: {
    bytes: 2,
    write: (v, at, x) => v.setInt16(at, Number(x), true),
    read: (v, at) => v.getInt16(at, true),
  },
  INT32: {
    bytes: 4,
    write: (v, at, x) => v.setInt32(at, Number(x), true),
    read: (v, at) => v.getInt32(at, true),
  },
  INT64: {
    bytes: 8,
    write: (v, at, x) => v.setBigInt64(at, big(x), true),
    read: (v, at) => v.getBigInt64(at, true),
  },
  FP16: {
    bytes: 2,
    write: (v, at, x) => v.setUint16(at, encodeHalf(Number(x)), true),
    read: (v, at) => decodeHalf(v.getUint16(at, true)),
  },
  BF16: {
    bytes: 2,
    write: (v, at, x) => v.setUint16(at, encodeBfloat16(Number(x)), true),
    read: (v, at) => decodeBfloat16(v.getUint16(at, true)),
  },
  FP32: {
    bytes: 4,
    write: (v, at, x) => v.setFloat32(at, Number(x), true),
    read: (v, at) => v.getFloat32(at, true),
  },
  FP64: {
    bytes: 8,
    write: (v, at, x) => v.setFloat64(at, Number(x), true),
    read: (v, at) => v.getFloat64(at, true),
  },
};

function big(x: Element): bigint {
  if (x instanceof Uint8Array) throw new Error('expected an integer, got bytes');
  return BigInt(x);
}

function fixedSize(datatype: string): FixedSize {
  const found = FIXED[datatype];
  if (!found) throw new Error(`expected a V2 data type, got ${datatype}`);
  return found;
}

/** The binary form of a tensor's elements. */
export function packElements(datatype: string, elements: readonly Element[]): Buffer {
  if (datatype === 'BYTES') return packBytes(elements as readonly Uint8Array[]);
  const { bytes, write } = fixedSize(datatype);
  const packed = Buffer.alloc(elements.length * bytes);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  elements.forEach((element, i) => write(view, i * bytes, element));
  return packed;
}

export function unpackElements(datatype: string, packed: Buffer): Element[] {
  if (datatype === 'BYTES') return unpackBytes(packed);
  const { bytes, read } = fixedSize(datatype);
  if (packed.length % bytes !== 0)
    throw new Error(`expected a multiple of ${bytes} bytes, got ${packed.length}`);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  return Array.from({ length: packed.length / bytes }, (_, i) => read(view, i * bytes));
}
