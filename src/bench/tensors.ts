/** Random tensors that fit a model's metadata, from a seed: the same seed gives the same bytes anywhere. */
import { BenchError } from './bench-error.js';

export interface TensorInfo {
  readonly name: string;
  readonly datatype: string;
  /** -1 varies. */
  readonly shape: readonly number[];
}

export interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** As the V2 binary extension has it. */
  readonly bytes: Buffer;
  /** For JSON. */
  readonly values: ReadonlyArray<number | string | boolean>;
}

export class SeededRandom {
  constructor(private state: number) {}

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let z = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** Log-normal between two lengths, most near their geometric middle: what texts look like. */
  length(least: number, most: number): number {
    if (least === most) return least;
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
    const value = Math.sqrt(least * most) * Math.exp((normal * Math.log(most / least)) / 4);
    return Math.round(Math.min(most, Math.max(least, value)));
  }
}

/** Integers stay below it: they are likely to be indexes of something. */
const INTEGERS_BELOW = 100;
const WORD_LENGTH = 8;

interface ElementKind {
  readonly size: number;
  draw(random: SeededRandom): number | boolean;
  write(bytes: Buffer, value: number, offset: number): void;
}

function halfBits(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  // Values of this file are in [-1, 1): too small for a normal half is zero.
  return ((bits >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((bits >>> 13) & 0x3ff));
}

const signed = (random: SeededRandom): number => Math.fround(random.next() * 2 - 1);
const small = (random: SeededRandom): number => random.integer(INTEGERS_BELOW);
const integer = (size: number): ElementKind => ({
  size,
  draw: small,
  // Small and not negative: signed and unsigned have the same bytes.
  write: (bytes, value, offset) => bytes.writeUIntLE(value, offset, Math.min(size, 6)),
});

const KINDS: Readonly<Record<string, ElementKind>> = {
  BOOL: {
    size: 1,
    draw: (random) => random.next() < 0.5,
    write: (bytes, value, at) => bytes.writeUInt8(Number(value), at),
  },
  UINT8: integer(1),
  UINT16: integer(2),
  UINT32: integer(4),
  UINT64: integer(8),
  INT8: integer(1),
  INT16: integer(2),
  INT32: integer(4),
  INT64: integer(8),
  FP16: { size: 2, draw: signed, write: (bytes, value, at) => bytes.writeUInt16LE(halfBits(value), at) },
  BF16: {
    size: 2,
    draw: signed,
    write: (bytes, value, at) =>
      bytes.writeUInt16LE((new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0) >>> 16, at),
  },
  FP32: { size: 4, draw: signed, write: (bytes, value, at) => bytes.writeFloatLE(value, at) },
  FP64: {
    size: 8,
    draw: (random) => random.next() * 2 - 1,
    write: (bytes, value, at) => bytes.writeDoubleLE(value, at),
  },
};

export function drawTensor(info: TensorInfo, shape: readonly number[], random: SeededRandom): Tensor {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const { name, datatype } = info;
  if (datatype === 'BYTES') {
    const words = Array.from({ length: count }, () =>
      Array.from({ length: WORD_LENGTH }, () => String.fromCharCode(97 + random.integer(26))).join(''),
    );
    const bytes = Buffer.concat(
      words.map((word) =>
        Buffer.concat([Buffer.from(Uint32Array.of(word.length).buffer), Buffer.from(word)]),
      ),
    );
    return { name, datatype, shape, bytes, values: words };
  }
  const kind = KINDS[datatype];
  if (kind === undefined)
    throw new BenchError(`input "${name}" has the data type ${datatype}, which this cannot make`);
  const bytes = Buffer.alloc(count * kind.size);
  const values = Array.from({ length: count }, (_, i) => {
    const value = kind.draw(random);
    kind.write(bytes, Number(value), i * kind.size);
    return value;
  });
  return { name, datatype, shape, bytes, values };
}
