/**
 * Requests with known answers for check-rows.mjs: element types as the wire has them, and for every model what must come back.
 * Written apart from the server and from its tests. Numbers are chosen so that every type and JSON hold them exactly.
 */
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { seededRandom as seededNumbers } from '../scripts/models/random.mjs';

const POOL_ROWS = 512;

/** Numbers from 0 to 1, and whole ones below a bound, the same for the same seed. */
export function seededRandom(seed) {
  const random = seededNumbers(seed);
  return { random, below: (n) => Math.floor(random() * n) };
}

function fixed(name, bytes, write, read, isInJson = true) {
  const encode = (elements) => {
    const blob = Buffer.alloc(elements.length * bytes);
    elements.forEach((value, i) => write(blob, value, i * bytes));
    return blob;
  };
  const decode = (blob) => Array.from({ length: blob.length / bytes }, (_, i) => read(blob, i * bytes));
  return { name, encode, decode, isInJson };
}

/** Whole numbers below 2048 have an exact half. */
function halfBits(value) {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(value) / 2 ** exponent - 1) * 1024);
}

function halfValue(bits) {
  const exponent = (bits >> 10) & 31;
  const magnitude =
    exponent === 0 ? (bits & 1023) * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

function upperHalf(value) {
  const float = Buffer.alloc(4);
  float.writeFloatLE(value);
  return float.readUInt16LE(2);
}

function fromUpperHalf(bits) {
  const float = Buffer.alloc(4);
  float.writeUInt16LE(bits, 2);
  return float.readFloatLE(0);
}

const bytesType = {
  name: 'BYTES',
  isInJson: true,
  encode: (elements) =>
    Buffer.concat(
      elements.map((text) => {
        const bytes = Buffer.from(text);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return Buffer.concat([length, bytes]);
      }),
    ),
  decode: (blob) => {
    const elements = [];
    for (let at = 0; at < blob.length;) {
      const end = at + 4 + blob.readUInt32LE(at);
      elements.push(blob.toString('utf8', at + 4, end));
      at = end;
    }
    return elements;
  },
};

// prettier-ignore
const TYPES = {
  BOOL: fixed('BOOL', 1, (b, v, i) => b.writeUInt8(v ? 1 : 0, i), (b, i) => b.readUInt8(i) === 1),
  UINT8: fixed('UINT8', 1, (b, v, i) => b.writeUInt8(v, i), (b, i) => b.readUInt8(i)),
  INT16: fixed('INT16', 2, (b, v, i) => b.writeInt16LE(v, i), (b, i) => b.readInt16LE(i)),
  INT32: fixed('INT32', 4, (b, v, i) => b.writeInt32LE(v, i), (b, i) => b.readInt32LE(i)),
  INT64: fixed('INT64', 8, (b, v, i) => b.writeBigInt64LE(BigInt(v), i), (b, i) => Number(b.readBigInt64LE(i))),
  UINT64: fixed('UINT64', 8, (b, v, i) => b.writeBigUInt64LE(BigInt(v), i), (b, i) => Number(b.readBigUInt64LE(i))),
  FP16: fixed('FP16', 2, (b, v, i) => b.writeUInt16LE(halfBits(v), i), (b, i) => halfValue(b.readUInt16LE(i)), false),
  BF16: fixed('BF16', 2, (b, v, i) => b.writeUInt16LE(upperHalf(v), i), (b, i) => fromUpperHalf(b.readUInt16LE(i)), false),
  FP32: fixed('FP32', 4, (b, v, i) => b.writeFloatLE(v, i), (b, i) => b.readFloatLE(i)),
  FP64: fixed('FP64', 8, (b, v, i) => b.writeDoubleLE(v, i), (b, i) => b.readDoubleLE(i)),
  BYTES: bytesType,
};

const tensor = (name, type, shape, elements, tolerance = 0) => ({
  name,
  type: TYPES[type],
  shape,
  elements,
  tolerance,
});

/** Rows with the answers that ONNX Runtime gives to each of them alone: a batch must not change them. */
async function makePool(repository, { below }) {
  const session = await ort.InferenceSession.create(join(repository, 'tiny', '1', 'model.onnx'));
  const pool = [];
  for (let i = 0; i < POOL_ROWS; i += 1) {
    const row = Float32Array.from({ length: 64 }, () => (below(2001) - 1000) / 1000);
    const { OUTPUT0 } = await session.run({ INPUT0: new ort.Tensor('float32', row, [1, 64]) });
    pool.push({ row: Array.from(row), answer: Array.from(OUTPUT0.data) });
  }
  await session.release();
  return pool;
}

/** Answers the models: each makes a request of `rows` rows, and says what must come back. */
export async function modelsWithTruth(repository, chance) {
  const { below } = chance;
  const many = (count, make) => Array.from({ length: count }, make);
  const eighths = (count) => many(count, () => (below(2001) - 1000) / 8);
  const texts = (count) => many(count, () => 'äb\n"☃'.slice(0, below(5)) + below(1000).toString(36));
  const below256 = (count) => many(count, () => below(256));
  const elements = {
    BOOL: (count) => many(count, () => below(2) === 1),
    UINT8: below256,
    FP16: below256,
    BF16: below256,
    INT16: (count) => many(count, () => below(65536) - 32768),
    INT32: (count) => many(count, () => below(2 ** 32) - 2 ** 31),
    INT64: (count) => many(count, () => below(2 ** 53) - 2 ** 52),
    UINT64: (count) => many(count, () => below(2 ** 53)),
    FP32: eighths,
    FP64: eighths,
    BYTES: texts,
  };
  const identities = Object.keys(TYPES).map((type) => ({
    model: `identity_${type.toLowerCase()}`,
    make: (rows) => {
      const shape = [rows, 1 + below(6)];
      const values = elements[type](shape[0] * shape[1]);
      return {
        inputs: [tensor('INPUT0', type, shape, values)],
        outputs: [tensor('OUTPUT0', type, shape, values)],
      };
    },
  }));
  const pool = await makePool(repository, chance);
  return [
    ...identities,
    { model: 'tiny', make: (rows) => tinyRequest(many(rows, () => pool[below(POOL_ROWS)])) },
    { model: 'add_sub', make: (rows) => addSubRequest([rows, 16], eighths(rows * 16), eighths(rows * 16)) },
    { model: 'varlen', make: (rows) => varlenRequest(rows, 1 + below(12), eighths) },
    { model: 'tokens', make: (rows) => tokensRequest(rows, 1 + below(32), chance) },
    { model: 'external', make: (rows) => externalRequest(many(rows, () => below(1000))) },
  ];
}

function tinyRequest(chosen) {
  const rows = chosen.length;
  return {
    inputs: [
      tensor(
        'INPUT0',
        'FP32',
        [rows, 64],
        chosen.flatMap(({ row }) => row),
      ),
    ],
    outputs: [
      tensor(
        'OUTPUT0',
        'FP32',
        [rows, 10],
        chosen.flatMap(({ answer }) => answer),
        1e-5,
      ),
    ],
  };
}

function addSubRequest(shape, a, b) {
  return {
    inputs: [tensor('INPUT0', 'FP32', shape, a), tensor('INPUT1', 'FP32', shape, b)],
    outputs: [
      tensor(
        'OUTPUT0',
        'FP32',
        shape,
        a.map((x, i) => x + b[i]),
      ),
      tensor(
        'OUTPUT1',
        'FP32',
        shape,
        a.map((x, i) => x - b[i]),
      ),
    ],
  };
}

function varlenRequest(rows, length, numbers) {
  const x = numbers(rows * length);
  const sumOf = (row) => x.slice(row * length, (row + 1) * length).reduce((sum, value) => sum + value, 0);
  return {
    inputs: [tensor('X', 'FP32', [rows, length], x)],
    outputs: [
      tensor(
        'SUM',
        'FP32',
        [rows, 1],
        Array.from({ length: rows }, (_, row) => sumOf(row)),
      ),
      tensor(
        'DOUBLED',
        'FP32',
        [rows, length],
        x.map((value) => value * 2),
      ),
    ],
  };
}

/** Half of the requests leave the mask to the server. */
function tokensRequest(rows, length, { below }) {
  const ids = Array.from({ length: rows * length }, () => below(200) - 100);
  // The first of each row is real, so that there is a mean.
  const mask = below(2) === 0 ? undefined : ids.map((_, i) => (i % length === 0 ? 1 : below(2)));
  const pooled = Array.from({ length: rows }, (_, row) => {
    const places = Array.from({ length }, (_, i) => row * length + i).filter((i) => mask?.[i] !== 0);
    return places.reduce((sum, i) => sum + ids[i], 0) / places.length;
  });
  const rowOf = (i) => ids.slice(i - (i % length), i - (i % length) + length);
  const shape = [rows, length];
  return {
    inputs: [
      tensor('input_ids', 'INT64', shape, ids),
      ...(mask === undefined ? [] : [tensor('attention_mask', 'INT64', shape, mask)]),
    ],
    outputs: [
      tensor('POOLED', 'FP32', [rows, 1], pooled, 1e-6),
      tensor(
        'HIDDEN',
        'FP32',
        [...shape, 2],
        ids.flatMap((id) => [id, id / 2]),
      ),
      tensor(
        'SCORES',
        'INT64',
        [...shape, length],
        ids.flatMap((id, i) => rowOf(i).map((other) => id * other)),
      ),
    ],
  };
}

function externalRequest(ids) {
  const embedding = ids.flatMap((id) => Array.from({ length: 8 }, (_, j) => id + j / 8));
  return {
    inputs: [tensor('ID', 'INT64', [ids.length, 1], ids)],
    outputs: [tensor('EMBEDDING', 'FP32', [ids.length, 8], embedding)],
  };
}
