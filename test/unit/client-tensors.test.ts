/**
 * Tensors of the client: arrays to bytes and back against values written by hand, shapes that follow or are refused, FP16 and
 * BF16 against another implementation, and frames that a server should not have sent.
 */
import t from 'tap';
import {
  DATA_TYPE_NAMES,
  dataTypeNumber,
  elementBytes,
  type DataType,
  type InputData,
} from '../../src/client/data-types.js';
import { readFrame } from '../../src/client/frame-reader.js';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../src/client/half.js';
import { encodeInputs } from '../../src/client/inputs.js';
import type { Inputs, InferOptions, ModelInfo } from '../../src/client/model.js';
import { tensorOf, toBooleans, toStrings } from '../../src/client/outputs.js';
import { isFrame } from '../../src/client/verify.js';
import { seededRandom } from '../../scripts/models/random.mjs';
import { DATA_TYPES } from '../../src/core/data-types.js';
import { decodeBfloat16, decodeHalf, encodeBfloat16, encodeHalf } from '../support/elements.js';
import { errorFrame, goodbyeFrame, helloFrame, PAIRS, responseFrame } from '../support/server-frames.js';

function modelOf(datatype: DataType | undefined, shape: number[]): ModelInfo {
  return {
    name: 'm',
    version: '1',
    versions: ['1'],
    maxRows: 0,
    inputs: [{ name: 'x', datatype, shape }],
    outputs: [],
  };
}

function encode(
  data: Inputs[string],
  datatype: DataType | undefined,
  shape: number[],
  options: InferOptions = {},
) {
  return encodeInputs({ x: data }, modelOf(datatype, shape), options)[0]!;
}

t.test('the data types of the client are those of the server', async (t) => {
  t.same([...DATA_TYPE_NAMES].sort(), Object.keys(DATA_TYPES).sort());
  for (const name of DATA_TYPE_NAMES) {
    t.equal(dataTypeNumber(name), DATA_TYPES[name].number, name);
    t.equal(elementBytes(name), DATA_TYPES[name].bytes, name);
  }
});

t.test('every data type: the bytes of its array, and its array from the bytes', async (t) => {
  const samples: [DataType, InputData, number[]][] = [
    ['BOOL', [true, false], [1, 0]],
    ['BOOL', Uint8Array.of(1, 0), [1, 0]],
    ['UINT8', Uint8Array.of(0, 255), [0, 255]],
    ['UINT8', Uint8ClampedArray.of(0, 255), [0, 255]],
    ['INT8', Int8Array.of(-128, 127), [128, 127]],
    ['UINT16', Uint16Array.of(1, 65535), [1, 0, 255, 255]],
    ['INT16', Int16Array.of(-2, 1), [254, 255, 1, 0]],
    ['FP16', Uint16Array.of(0x3c00, 0xc000), [0, 0x3c, 0, 0xc0]],
    ['BF16', Uint16Array.of(0x3f80, 0xc000), [0x80, 0x3f, 0, 0xc0]],
    ['UINT32', Uint32Array.of(1, 2 ** 32 - 1), [1, 0, 0, 0, 255, 255, 255, 255]],
    ['INT32', Int32Array.of(1, -1), [1, 0, 0, 0, 255, 255, 255, 255]],
    ['FP32', Float32Array.of(1, -2), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]],
    ['INT64', BigInt64Array.of(-1n, 1n), [255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0]],
    [
      'UINT64',
      BigUint64Array.of(2n ** 64n - 1n, 1n),
      [255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0],
    ],
    ['FP64', Float64Array.of(1, -2), [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0]],
    ['BYTES', ['é', ''], [2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0]],
    ['BYTES', [Uint8Array.of(7), Uint8Array.of(8, 9)], [1, 0, 0, 0, 7, 2, 0, 0, 0, 8, 9]],
  ];
  for (const [datatype, data, bytes] of samples) {
    const encoded = encode(data, datatype, [-1]);
    t.match(encoded, { datatype, shape: [2] }, datatype);
    t.same([...encoded.bytes], bytes, datatype);
    // One byte further on: what is not aligned is copied, and the same.
    for (const shift of [0, 1]) {
      const held = new Uint8Array(bytes.length + shift);
      held.set(bytes, shift);
      const tensor = tensorOf('y', datatype, [2], held.subarray(shift));
      t.same(encode(tensor.data, datatype, [-1]).bytes, encoded.bytes, `${datatype} at ${shift}`);
      if (elementBytes(datatype) > 0) {
        const isView = (tensor.data as Uint8Array).buffer === held.buffer;
        t.equal(
          isView,
          shift === 0 || elementBytes(datatype) === 1,
          `${datatype}: no copy where it is aligned`,
        );
      }
    }
  }
  const text = tensorOf('y', 'BYTES', [2], Uint8Array.of(2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0));
  t.same(toStrings(text.data as Uint8Array[]), ['é', '']);
  t.throws(() => toStrings([Uint8Array.of(255)]), TypeError);
  t.same(toBooleans(Uint8Array.of(1, 0)), [true, false]);
  const part = new Float32Array([9, 1, -2, 9]).subarray(1, 3);
  t.same(
    [...encode(part, 'FP32', [2]).bytes],
    [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0],
    'a part of an array is that part',
  );
});

t.test('the shape follows from the signature, or is what is said', async (t) => {
  const six = new Float32Array(6);
  const shape = (signature: number[], options: InferOptions = {}, data: Inputs[string] = six) =>
    encode(data, 'FP32', signature, options).shape;
  t.same(shape([-1, 3]), [2, 3]);
  t.same(shape([2, 3]), [2, 3]);
  t.same(shape([-1, -1], { shape: [3, 2] }), [3, 2]);
  t.same(shape([-1, -1], { shape: { x: [6, 1] } }), [6, 1]);
  t.same(shape([-1, -1], {}, { data: six, shape: [1, 6] }), [1, 6]);
  t.same(shape([-1, 3], {}, new Float32Array(0)), [0, 3]);
  t.same(
    encodeInputs({ z: six }, modelOf('FP32', [6]), {})[0]!.shape,
    [6],
    'an input that the model does not have',
  );
  t.same(encodeInputs({ z: six }, undefined, {})[0]!.datatype, 'FP32', 'a model that is not known');
  t.equal(encode({ data: Uint16Array.of(1), datatype: 'BF16' }, undefined, [1]).datatype, 'BF16');
});

t.test('what cannot be right is refused before it is sent, and says what was expected', async (t) => {
  const six = new Float32Array(6);
  const refusals: [Inputs[string], number[], InferOptions, RegExp][] = [
    [six, [-1, 4], {}, /a multiple of 4 elements for input x of shape \[-1,4\], got 6/],
    [six, [5], {}, /expected 5 elements .* got 6/],
    [six, [-1, -1], {}, /expected a shape for input x/],
    [six, [-1], { shape: [7] }, /expected 7 elements for input x of shape \[7\], got 6/],
    [six, [-1], { shape: [2.5] }, /whole numbers/],
    [six, [-1], { shape: [-6] }, /whole numbers/],
    [six, [-1], { shape: new Array<number>(17).fill(1) }, /at most 16/],
    [new Float64Array(6), [6], {}, /expected data of FP32 for input x, got Float64Array \(FP64\)/],
    [[1, 2, 3] as never, [3], {}, /expected a typed array.* got an array of number/],
    [[true], [1], {}, /expected data of FP32 for input x, got an array of boolean/],
    [null as never, [1], {}, /got null/],
    [{} as never, [1], {}, /got Object/],
    [new DataView(new ArrayBuffer(4)) as never, [1], {}, /got DataView/],
    [{ data: six, datatype: 'FP31' as never }, [6], {}, /expected one of the V2 data types/],
  ];
  for (const [data, shape, options, message] of refusals) {
    t.throws(() => encode(data, 'FP32', shape, options), { message }, String(message));
  }
  t.throws(() => encode([true, 'x'] as never, 'BOOL', [2]), { message: /expected booleans .* string at 1/ });
  t.throws(() => encode(['x', 1] as never, 'BYTES', [2]), {
    message: /strings or Uint8Arrays .* number at 1/,
  });
});

t.test('FP16 and BF16 are those of another implementation, all of them', async (t) => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const halves = float16ToFloat32(all);
  const bfloats = bfloat16ToFloat32(all);
  const differs = (bits: number): boolean =>
    !Object.is(halves[bits], decodeHalf(bits)) || !Object.is(bfloats[bits], decodeBfloat16(bits));
  t.same([...all].filter(differs), []);

  const values: number[] = [];
  for (let bits = 0; bits < 65_535; bits += 1) {
    const [here, next] = [halves[bits]!, halves[bits + 1]!];
    // Each value, the middle to the next, and its neighbours.
    for (const value of [
      here,
      (here + next) / 2,
      here + (next - here) * 0.499,
      here + (next - here) * 0.501,
    ]) {
      values.push(Math.fround(value));
    }
  }
  values.push(65_504, 65_519.996, 65_520, 1e30, -1e30, 1e-30, Infinity, -Infinity, NaN, 0, -0);
  const toHalf = float32ToFloat16(values);
  const toBfloat = float32ToBfloat16(values);
  const wrong = values.filter((value, index) => {
    if (Number.isNaN(value))
      return !Number.isNaN(decodeHalf(toHalf[index]!)) || !Number.isNaN(decodeBfloat16(toBfloat[index]!));
    return toHalf[index] !== encodeHalf(value) || toBfloat[index] !== encodeBfloat16(value);
  });
  t.same(wrong, []);
});

t.test(
  'no mutant of a frame makes the client read outside its message, hang, or throw what is no error of its own',
  async (t) => {
    const bytes = new Uint8Array(64);
    const frames = [
      helloFrame({ models: [PAIRS, { ...PAIRS, name: 'n', number: 8 }] }),
      responseFrame(5, [
        { name: 'a', datatype: 11, shape: [2, 8], bytes },
        { name: 'b', datatype: 13, shape: [1], bytes: Uint8Array.of(2, 0, 0, 0, 65, 66) },
      ]),
      errorFrame(5, 3, 'SHAPE_MISMATCH', 'expected'),
      goodbyeFrame(10),
    ];
    const next = seededRandom(7);
    let accepted = 0;
    const faults: string[] = [];
    const tryFrame = (mutant: Uint8Array): void => {
      try {
        readFrame(mutant);
        accepted += 1;
      } catch (error) {
        if ((error as { code?: string }).code !== 'BAD_ANSWER') faults.push(String(error));
      }
    };
    for (const frame of frames) {
      t.ok(isFrame(frame));
      for (let length = 0; length < frame.length; length += 1) tryFrame(frame.slice(0, length));
      for (let times = 0; times < 4000; times += 1) {
        const mutant = frame.slice();
        for (let count = 1 + Math.floor(next() * 3); count > 0; count -= 1) {
          mutant[Math.floor(next() * mutant.length)] = Math.floor(next() * 256);
        }
        tryFrame(mutant);
      }
    }
    t.same(faults, []);
    t.ok(accepted > 0, 'some differ only in values');
  },
);

t.test('vectors that share what they point at do not make a small message expensive', async (t) => {
  // A hello whose list of models names one model 4000 times, which names one input 4000 times.
  const hello = helloFrame({
    models: Array.from({ length: 4000 }, () => PAIRS).map((model, index) => ({
      ...model,
      inputs: index === 0 ? Array.from({ length: 4000 }, () => model.inputs[0]!) : [],
      outputs: [],
      name: 'm',
    })),
  });
  t.ok(isFrame(hello), 'apart they are fine');
  const view = new DataView(hello.buffer, hello.byteOffset, hello.byteLength);
  const at = positionOfVector(view, 4000);
  const target = at + 4 + view.getUint32(at + 4, true);
  for (let index = 1; index < 4000; index += 1)
    view.setUint32(at + 4 + 4 * index, target - (at + 4 + 4 * index), true);
  t.notOk(isFrame(hello), '16 million looks are refused');
});

/** Of the models: root, frame's hello, hello's models. */
function positionOfVector(view: DataView, count: number): number {
  const field = (table: number, index: number): number => {
    const places = table - view.getInt32(table, true);
    const at = table + view.getUint16(places + 4 + 2 * index, true);
    return at + view.getUint32(at, true);
  };
  const models = field(field(view.getUint32(0, true), 4), 4);
  if (view.getUint32(models, true) !== count) throw new Error('expected the list of models');
  return models;
}

t.test('reading gives back no memory that is not the message', async (t) => {
  // The message lies inside a larger block full of canaries, as a pooled buffer would.
  const frame = responseFrame(5, [{ name: 'a', datatype: 2, shape: [8], bytes: new Uint8Array(8) }]);
  const block = new Uint8Array(frame.length + 512).fill(0xa5);
  const next = seededRandom(3);
  let leaks = 0;
  for (let times = 0; times < 4000; times += 1) {
    block.set(frame, 256);
    block[256 + Math.floor(next() * frame.length)] = Math.floor(next() * 256);
    try {
      const read = readFrame(block.subarray(256, 256 + frame.length));
      if (read.kind === 'response') {
        const { data } = read.result.outputs['a'] ?? {};
        if (data instanceof Uint8Array && Buffer.from(data).includes('\xa5\xa5', 0, 'latin1')) leaks += 1;
      }
    } catch {
      // Refused, as it should be.
    }
  }
  t.equal(leaks, 0, 'one byte is changed, two canaries in a row come from outside');
});

// Where the platform has it.
const { Float16Array: Half } = globalThis as unknown as {
  readonly Float16Array?: new (values: number[]) => InputData;
};

t.test('Float16Array', { skip: Half === undefined && 'this V8 has none' }, async (t) => {
  const data = new Half!([1, -2]);
  t.match(encode(data, 'FP16', [2]), { datatype: 'FP16', bytes: Uint8Array.of(0, 0x3c, 0, 0xc0) });
});
