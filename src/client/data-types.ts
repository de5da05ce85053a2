/**
 * The data types as a client sees them: which array holds which type, and how many bytes an element takes. The island of
 * the client has its own table, because it uses nothing of the server; a test holds it to the server's.
 */

/** The array that the elements of a data type come in. BOOL: 0 or 1. FP16 and BF16: their bits; see half.ts. */
export interface ArrayOf {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: Uint8Array[];
  BF16: Uint16Array;
}

export type DataType = keyof ArrayOf;

/** What a client may give for an input. */
export type InputData =
  | Exclude<ArrayOf[DataType], Uint8Array[]>
  | Uint8ClampedArray
  | readonly boolean[]
  | readonly string[]
  | readonly Uint8Array[];

/** One output: `data` is a view of the answer's own bytes, which nothing else holds. */
export type Tensor<D extends DataType = DataType> = D extends DataType
  ? {
      readonly name: string;
      readonly datatype: D;
      readonly shape: readonly number[];
      readonly data: ArrayOf[D];
    }
  : never;

type NumberArray = Exclude<ArrayOf[DataType], Uint8Array[]>;

interface ArrayClass {
  new (buffer: ArrayBuffer, byteOffset: number, length: number): NumberArray;
  readonly BYTES_PER_ELEMENT: number;
}

interface DataTypeRow {
  /** On the wire. */
  readonly number: number;
  /** Absent for BYTES, whose elements have no fixed size. */
  readonly array: ArrayClass | undefined;
}

const ROWS: Readonly<Record<DataType, DataTypeRow>> = {
  BOOL: { number: 1, array: Uint8Array },
  UINT8: { number: 2, array: Uint8Array },
  UINT16: { number: 3, array: Uint16Array },
  UINT32: { number: 4, array: Uint32Array },
  UINT64: { number: 5, array: BigUint64Array },
  INT8: { number: 6, array: Int8Array },
  INT16: { number: 7, array: Int16Array },
  INT32: { number: 8, array: Int32Array },
  INT64: { number: 9, array: BigInt64Array },
  FP16: { number: 10, array: Uint16Array },
  FP32: { number: 11, array: Float32Array },
  FP64: { number: 12, array: Float64Array },
  BYTES: { number: 13, array: undefined },
  BF16: { number: 14, array: Uint16Array },
};

export const DATA_TYPE_NAMES = Object.keys(ROWS) as DataType[];

const NAMES: readonly (DataType | undefined)[] = [undefined, ...DATA_TYPE_NAMES].map((_, number) =>
  DATA_TYPE_NAMES.find((name) => ROWS[name].number === number),
);

/** The data types that a typed array can stand for; the first is meant where nothing else says. */
const BY_TAG: Readonly<Record<string, readonly DataType[]>> = {
  Float32Array: ['FP32'],
  Float64Array: ['FP64'],
  Float16Array: ['FP16'],
  Int8Array: ['INT8'],
  Uint8Array: ['UINT8', 'BOOL'],
  Uint8ClampedArray: ['UINT8'],
  Int16Array: ['INT16'],
  Uint16Array: ['UINT16', 'FP16', 'BF16'],
  Int32Array: ['INT32'],
  Uint32Array: ['UINT32'],
  BigInt64Array: ['INT64'],
  BigUint64Array: ['UINT64'],
};

export function isDataType(name: string): name is DataType {
  return Object.hasOwn(ROWS, name);
}

export function dataTypeNumber(datatype: DataType): number {
  return ROWS[datatype].number;
}

/** undefined: the server knows a type that this client does not. */
export function dataTypeOf(number: number): DataType | undefined {
  return NAMES[number];
}

/** 0: elements have no fixed size. */
export function elementBytes(datatype: DataType): number {
  return ROWS[datatype].array?.BYTES_PER_ELEMENT ?? 0;
}

/** The data types that `data` can be; none: it is nothing that a tensor can be made of. */
export function dataTypesOf(data: unknown): readonly DataType[] {
  if (ArrayBuffer.isView(data)) {
    return (
      BY_TAG[(data as unknown as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? ''] ?? []
    );
  }
  if (!Array.isArray(data)) return [];
  const first: unknown = data[0];
  if (first === undefined) return ['BYTES', 'BOOL'];
  if (typeof first === 'string' || first instanceof Uint8Array) return ['BYTES'];
  return typeof first === 'boolean' ? ['BOOL'] : [];
}

/** The elements in `bytes`, which hold a whole number of them: a view where they are aligned, else a copy. */
export function arrayOf(datatype: DataType, bytes: Uint8Array): NumberArray {
  const ArrayType = ROWS[datatype].array ?? Uint8Array;
  const size = ArrayType.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}
