/**
 * Owns: the check of the generated models with ONNX Runtime: each loads, and its answers are those promised.
 * Expectations are written from the models' descriptions, not from their code. Sessions live for one check each.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor, env } from 'onnxruntime-node';
import { bfloat16Inside } from './elementwise.mjs';

env.logLevel = 'fatal';

const SAMPLES = {
  bool: ['bool', Uint8Array.of(1, 0, 1, 1)],
  uint8: ['uint8', Uint8Array.of(0, 1, 254, 255)],
  uint16: ['uint16', Uint16Array.of(0, 1, 65534, 65535)],
  uint32: ['uint32', Uint32Array.of(0, 1, 2, 4294967295)],
  uint64: ['uint64', BigUint64Array.of(0n, 1n, 2n, 18446744073709551615n)],
  int8: ['int8', Int8Array.of(-128, -1, 0, 127)],
  int16: ['int16', Int16Array.of(-32768, -1, 0, 32767)],
  int32: ['int32', Int32Array.of(-2147483648, -1, 0, 2147483647)],
  int64: ['int64', BigInt64Array.of(-9223372036854775808n, -1n, 0n, 9223372036854775807n)],
  fp16: ['float16', Uint16Array.of(0x0000, 0x3c00, 0xc000, 0x7bff)],
  fp32: ['float32', Float32Array.of(0, -1.5, 3.25, 1e30)],
  fp64: ['float64', Float64Array.of(0, -1.5, 0.1, 1e300)],
  bytes: ['string', ['', 'a', 'zwei', 'три']],
};

function fp32(values, dims) {
  return new Tensor('float32', Float32Array.from(values), dims);
}

function ids(values) {
  return new Tensor('int64', BigInt64Array.from(values.map(BigInt)), [values.length, 1]);
}

function expectSame(what, got, expected, dims) {
  const same =
    got.data.length === expected.length && [...expected].every((x, i) => Object.is(got.data[i], x));
  if (!same)
    throw new Error(`${what}: expected ${[...expected].slice(0, 8)}, got ${[...got.data].slice(0, 8)}`);
  if (got.dims.join() !== dims.join())
    throw new Error(`${what}: expected shape [${dims}], got [${got.dims}]`);
}

async function expectFailure(what, run) {
  const failed = await run().then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error(`${what}: expected the run to fail, it succeeded`);
}

async function checkIdentity(session, datatype) {
  const [type, values] = SAMPLES[datatype];
  const { OUTPUT0 } = await session.run({ INPUT0: new Tensor(type, values, [2, 2]) });
  expectSame('OUTPUT0', OUTPUT0, values, [2, 2]);
  return undefined;
}

const CHECKS = {
  async scalar(session) {
    expectSame('Y', (await session.run({ X: fp32([41], []) })).Y, [42], []);
  },
  async rank5(session) {
    const values = Array.from({ length: 48 }, (_, i) => i + 1);
    const { Y } = await session.run({ X: fp32(values, [1, 2, 4, 3, 2]) });
    expectSame(
      'Y',
      Y,
      values.map((x) => -x),
      [1, 2, 4, 3, 2],
    );
  },
  async fixed_shape(session) {
    const { TRANSPOSED } = await session.run({ MATRIX: fp32([1, 2, 3, 4, 5, 6], [2, 3]) });
    expectSame('TRANSPOSED', TRANSPOSED, [1, 4, 2, 5, 3, 6], [3, 2]);
  },
  async join(session) {
    const left = new Tensor('int64', BigInt64Array.of(1n, 2n), [2, 1]);
    const right = new Tensor('int64', BigInt64Array.of(3n, 4n, 5n, 6n), [2, 2]);
    const nothing = new Tensor('int64', new BigInt64Array(0), [2, 0]);
    const { JOINED } = await session.run({ LEFT: left, RIGHT: right });
    expectSame('JOINED', JOINED, [1n, 3n, 4n, 2n, 5n, 6n], [2, 3]);
    expectSame('JOINED', (await session.run({ LEFT: left, RIGHT: nothing })).JOINED, [1n, 2n], [2, 1]);
    expectSame('JOINED', (await session.run({ LEFT: nothing, RIGHT: nothing })).JOINED, [], [2, 0]);
  },
  async varlen(session) {
    const { SUM, DOUBLED } = await session.run({ X: fp32([1, 2, 3, 4, 5, 6], [2, 3]) });
    expectSame('SUM', SUM, [6, 15], [2, 1]);
    expectSame('DOUBLED', DOUBLED, [2, 4, 6, 8, 10, 12], [2, 3]);
  },
  async tokens(session) {
    const int64 = (values) => new Tensor('int64', BigInt64Array.from(values.map(BigInt)), [2, 2]);
    const inputs = { input_ids: int64([3, 5, 7, 11]), attention_mask: int64([1, 1, 1, 0]) };
    const { POOLED, HIDDEN, SCORES } = await session.run(inputs);
    expectSame('POOLED', POOLED, [4, 7], [2, 1]);
    expectSame('HIDDEN', HIDDEN, [3, 1.5, 5, 2.5, 7, 3.5, 11, 5.5], [2, 2, 2]);
    expectSame('SCORES', SCORES, [9n, 15n, 15n, 25n, 49n, 77n, 77n, 121n], [2, 2, 2]);
  },
  async add_sub(session) {
    const [a, b] = [Array.from({ length: 16 }, (_, i) => i), new Array(16).fill(1)];
    const { OUTPUT0, OUTPUT1 } = await session.run({ INPUT0: fp32(a, [1, 16]), INPUT1: fp32(b, [1, 16]) });
    expectSame(
      'OUTPUT0',
      OUTPUT0,
      a.map((x) => x + 1),
      [1, 16],
    );
    expectSame(
      'OUTPUT1',
      OUTPUT1,
      a.map((x) => x - 1),
      [1, 16],
    );
  },
  async add_sub_int32(session) {
    const int32 = (x) => new Tensor('int32', new Int32Array(16).fill(x), [1, 16]);
    const { OUTPUT0, OUTPUT1 } = await session.run({ INPUT0: int32(7), INPUT1: int32(-3) });
    expectSame('OUTPUT0', OUTPUT0, new Array(16).fill(4), [1, 16]);
    expectSame('OUTPUT1', OUTPUT1, new Array(16).fill(10), [1, 16]);
  },
  async versioned(session, version) {
    const { OUTPUT0 } = await session.run({ INPUT0: fp32([0, 1, 2, 3], [1, 4]) });
    expectSame(
      'OUTPUT0',
      OUTPUT0,
      [0, 1, 2, 3].map((x) => x + Number(version)),
      [1, 4],
    );
  },
  async slow(session) {
    const startedMs = performance.now();
    expectSame(
      'Y',
      (await session.run({ X: fp32([1, -2, 3, 1e20, 5, 6, 7, 8], [2, 4]) })).Y,
      [1, -2, 3, Math.fround(1e20), 5, 6, 7, 8],
      [2, 4],
    );
    const lastedMs = performance.now() - startedMs;
    return `one run took ${lastedMs.toFixed(0)} ms`;
  },
  async failing(session) {
    const { ROW } = await session.run({ ID: ids([3, 9]) });
    expectSame('ROW', ROW, [30, 31, 32, 33, 90, 91, 92, 93], [2, 4]);
    await expectFailure('ID 10', () => session.run({ ID: ids([3, 10]) }));
    await expectFailure('ID -1', () => session.run({ ID: ids([-1]) }));
  },
  async always_fails(session) {
    await expectFailure('any X', () => session.run({ X: fp32(new Array(20).fill(0), [5, 4]) }));
  },
  async external(session) {
    const { EMBEDDING } = await session.run({ ID: ids([0, 999]) });
    const eighths = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    expectSame('EMBEDDING', EMBEDDING, [...eighths, ...eighths.map((x) => x + 999)], [2, 8]);
  },
  async tiny(session) {
    return expectRows(session, 64);
  },
  async mid(session) {
    return expectRows(session, 512);
  },
  async resnet18(session) {
    const { SCORES } = await session.run({
      IMAGE: fp32(new Float32Array(3 * 224 * 224).fill(0.5), [1, 3, 224, 224]),
    });
    if (SCORES.dims.join() !== '1,1000' || !SCORES.data.every(Number.isFinite))
      throw new Error('expected 1000 finite scores');
    return `largest score ${Math.max(...SCORES.data).toFixed(2)}`;
  },
};

/** The JavaScript binding has no BF16, so the same operator runs between two casts. */
async function checkBfloat16() {
  const session = await InferenceSession.create(bfloat16Inside(), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  expectSame(
    'Y',
    (await session.run({ X: fp32([1, -2.5, 3.140625], [1, 3]) })).Y,
    [1, -2.5, 3.140625],
    [1, 3],
  );
  await session.release();
  return 'checked between casts: the JavaScript binding has no BF16';
}

/** A row must come out the same whatever its neighbours are. */
async function expectRows(session, width) {
  const row = Array.from({ length: width }, (_, i) => Math.sin(i));
  const alone = (await session.run({ INPUT0: fp32(row, [1, width]) })).OUTPUT0;
  const pair = (await session.run({ INPUT0: fp32([...row.map((x) => -x), ...row], [2, width]) })).OUTPUT0;
  const worst = Math.max(...[...alone.data].map((x, i) => Math.abs(x - pair.data[10 + i])));
  if (!(worst < 1e-4)) throw new Error(`expected the same row alone and in a pair, off by ${worst}`);
  return `largest output ${Math.max(...alone.data).toFixed(2)}`;
}

/** Checks one model on disk; returns a remark or throws with what was wrong. */
export async function checkModel(dir, { name, versions }) {
  const remarks = [];
  for (const version of Object.keys(versions)) {
    const file = join(dir, name, version, 'model.onnx');
    if (!existsSync(file)) throw new Error(`expected a file for version ${version}, found none`);
    if (name === 'identity_bf16') return checkBfloat16();
    const session = await InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 4 });
    try {
      const [, datatype] = /^identity_(.*)$/.exec(name) ?? [];
      const remark = datatype ? await checkIdentity(session, datatype) : await CHECKS[name](session, version);
      if (remark) remarks.push(remark);
    } finally {
      await session.release();
    }
  }
  return remarks.join('; ');
}
