/** Golden answers: bodies on disk, comparison with tolerances, and the gate over a puppet that answers as it is told. */
import t from 'tap';
import { join } from 'node:path';
import type { ServePlan } from '../../src/core/model.js';
import { readGolden, toFile, type GoldenSet } from '../../src/models/golden/cases.js';
import { compareTensor, defaultTolerance } from '../../src/models/golden/compare.js';
import { checkGolden } from '../../src/models/golden/gate.js';
import { readTensors, writeAnswer, writeRequest, type GoldenTensor } from '../../src/models/golden/wire.js';
import type { DataType } from '../../src/core/data-types.js';

function fp32(name: string, shape: number[], values: number[]): GoldenTensor {
  return { name, datatype: 'FP32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

function raw(datatype: DataType, bytes: number[]): GoldenTensor {
  return { name: 'y', datatype, shape: [1], bytes: Uint8Array.from(bytes) };
}

t.test('the worst element of an answer is told, in tolerances', (t) => {
  const golden = fp32('y', [2, 2], [1, 2, 3, 100]);
  const close = compareTensor(golden, fp32('y', [2, 2], [1, 2, 3.001, 100.005]), defaultTolerance('FP32'));
  t.match(close.text, 'output "y" [1, 0]: expected 3, got 3.00099992');
  t.ok(close.ratio > 3 && close.ratio < 4);
  t.equal(compareTensor(golden, golden, { absolute: 0, relative: 0 }).ratio, 0);
  const table: Array<[golden: GoldenTensor, got: GoldenTensor | undefined, text: RegExp]> = [
    [golden, undefined, /expected it, got none/],
    [golden, fp32('y', [4], [1, 2, 3, 100]), /expected FP32\[2, 2\], got FP32\[4\]/],
    [golden, fp32('y', [2, 2], [1, NaN, 3, 100]), /\[0, 1\]: expected 2, got NaN/],
    [golden, fp32('y', [2, 2], [1, 2, 3, Infinity]), /\[1, 1\]: expected 100, got Infinity/],
    [
      raw('INT64', [1, 0, 0, 0, 0, 0, 0, 64]),
      raw('INT64', [2, 0, 0, 0, 0, 0, 0, 64]),
      /expected 4611686018427387905/,
    ],
    [raw('FP16', [0, 0x3c]), raw('FP16', [0, 0x40]), /expected 1, got 2/],
    [raw('BF16', [0x80, 0x3f]), raw('BF16', [0, 0x40]), /expected 1, got 2/],
    [raw('BYTES', [1, 0, 0, 0, 97]), raw('BYTES', [1, 0, 0, 0, 98]), /expected a, got b/],
  ];
  for (const [wanted, got, text] of table) {
    const difference = compareTensor(wanted, got, defaultTolerance(wanted.datatype));
    t.ok(difference.ratio > 1, String(text));
    t.match(difference.text, text);
  }
  const nan = fp32('y', [1], [NaN]);
  t.equal(
    compareTensor(nan, fp32('y', [1], [NaN]), defaultTolerance('FP32')).ratio,
    0,
    'NaN where NaN is golden',
  );
  t.end();
});

t.test('requests and answers are read from JSON and from binary files', async (t) => {
  const answer = writeAnswer([fp32('y', [1, 2], [0.5, 2])]);
  const place = t.testdir({
    golden: {
      'a.request.json': '{"inputs":[{"name":"x","datatype":"INT32","shape":[1,2],"data":[[1,-2]]}]}',
      'a.answer.bin': Buffer.from(toFile(answer)),
      'b.request.json': '{"inputs":[{"name":"t","datatype":"BYTES","shape":[1],"data":["hé"]}]}',
      'golden.json': '{"tolerance":{"y":{"absolute":0.5}},"latencyMs":9}',
    },
  });
  const set = await readGolden(place);
  t.equal(set?.latencyMs, 9);
  t.same(set?.tolerance.get('y'), { absolute: 0.5, relative: 0 });
  const [first, second] = set?.cases ?? [];
  t.same([...(first?.inputs[0]?.bytes ?? [])], [1, 0, 0, 0, 254, 255, 255, 255]);
  t.same(first?.outputs, [fp32('y', [1, 2], [0.5, 2])]);
  t.same(Buffer.from(second?.inputs[0]?.bytes ?? []).toString('hex'), '0300000068c3a9');
  t.same(second?.outputs, []);
  t.equal(await readGolden(join(place, 'golden')), undefined);
});

t.test('a golden folder that is not whole says what is wrong', async (t) => {
  const request = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';
  const table: Array<[files: Record<string, string>, message: RegExp]> = [
    [{}, /expected a file such as case\.request\.json/],
    [{ 'a.request.json': '{' }, /golden\/a\.request\.json: not JSON/],
    [{ 'a.request.json': '{"inputs":[]}' }, /expected a list of inputs/],
    [{ 'a.request.json': request.replace('[1]}', '[1,2]}') }, /expected 1 elements, got 2/],
    [
      { 'a.request.json': request.replace('FP32', 'INT8').replace('[1]}', '[1.5]}') },
      /expected INT8, got 1\.5/,
    ],
    [{ 'a.request.json': request.replace('FP32', 'FP16') }, /FP16 is written in binary form/],
    [{ 'a.request.bin': 'xyz' }, /expected the length of its JSON part/],
    [{ 'a.request.bin': '99\n{}' }, /expected the length of its JSON part/],
    [{ 'a.request.json': request, 'golden.json': '{"tolerances":{}}' }, /golden\.json.*[Uu]nrecognized/],
  ];
  for (const [files, message] of table)
    await t.rejects(
      readGolden(t.testdir({ golden: files })),
      { code: 'MODEL_INVALID', message },
      String(message),
    );
});

const PLAN = { maxBatchRows: 8 } as ServePlan;

/** y = x + 1, and what `bend` does to it: it sees the rows of the whole request. */
function asker(bend: (row: number, rows: number) => number) {
  const seen: number[] = [];
  return {
    seen,
    async ask(_handle: number, headLength: number, body: Uint8Array) {
      const [x] = readTensors({ bytes: body, headLength }, 'inputs', 'request');
      const values = new Float32Array(new Uint8Array(x?.bytes ?? []).buffer);
      seen.push(values.length);
      const answer = writeAnswer([
        fp32(
          'y',
          [values.length, 1],
          [...values].map((value, row) => value + 1 + bend(row, values.length)),
        ),
      ]);
      return { status: 0, bytes: answer.bytes, headLength: answer.headLength };
    },
  };
}

function setOf(...values: number[]): GoldenSet {
  const cases = values.map((value) => ({
    name: `v${value}`,
    inputs: [fp32('x', [1, 1], [value])],
    outputs: [fp32('y', [1, 1], [value + 1])],
  }));
  return { cases, tolerance: new Map(), latencyMs: undefined };
}

t.test('a tensor whose bytes are not those of its shape says so', (t) => {
  const answer = writeAnswer([{ ...fp32('y', [1, 2], [1, 2]), shape: [1, 3] }]);
  t.throws(() => readTensors(answer, 'outputs', 'golden/a.answer.bin'), {
    message: 'golden/a.answer.bin tensor "y": expected 12 bytes for FP32[1, 3], got 8',
  });
  t.end();
});

t.test('the gate asks each case alone and all of them as one batch', async (t) => {
  const good = asker(() => 0);
  t.match(await checkGolden(good, 1, PLAN, setOf(1, 2, 3)), { cases: 3, worstRatio: 0 });
  t.same(good.seen, [1, 1, 1, 3]);
  const single = asker(() => 0);
  await checkGolden(single, 1, PLAN, setOf(1));
  t.same(single.seen, [1, 2], 'a single case has itself as neighbour');
  const many = asker(() => 0);
  await checkGolden(many, 1, PLAN, setOf(...Array(11).keys()));
  t.equal(many.seen.at(-1), 8);
  const alone = asker(() => 0);
  await checkGolden(alone, 1, { maxBatchRows: 0 } as ServePlan, setOf(1, 2));
  t.same(alone.seen, [1, 1]);
});

t.test('the gate refuses with the worst difference, and sees neighbours leak into a row', async (t) => {
  const set = setOf(1, 2, 3);
  await t.rejects(
    checkGolden(
      asker((_row) => 0.5),
      1,
      PLAN,
      set,
    ),
    {
      code: 'MODEL_INVALID',
      message:
        /^golden answers: case "v1": output "y" \[0, 0\]: expected 2, got 2\.5 \(2\.38e\+3 times the tolerance\)/,
    },
  );
  await t.rejects(
    checkGolden(
      asker((row, rows) => (rows > 1 && row === 2 ? 0.1 : 0)),
      1,
      PLAN,
      set,
    ),
    {
      message: /case "v3" in a batch: output "y" \[0, 0\]: expected 4, got 4\.09/,
    },
  );
  await t.rejects(
    checkGolden(
      asker(() => NaN),
      1,
      PLAN,
      set,
    ),
    { message: /expected 2, got NaN$/ },
  );
  let now = 0;
  const clock = () => (now += 5);
  await t.rejects(
    checkGolden(
      asker(() => 0),
      1,
      PLAN,
      { ...set, latencyMs: 4 },
      clock,
    ),
    {
      message: /within 4 ms, it took 5\.0 ms/,
    },
  );
  const silent = { ask: async () => ({ status: 13, bytes: Buffer.from('the run failed'), headLength: 0 }) };
  await t.rejects(checkGolden(silent, 1, PLAN, set), { message: /case "v1": the run failed/ });
});

t.test('a request asks for raw outputs', (t) => {
  const request = writeRequest([fp32('x', [1], [1])]);
  const head = JSON.parse(Buffer.from(request.bytes.subarray(0, request.headLength)).toString()) as unknown;
  t.match(head, {
    parameters: { binary_data_output: true },
    inputs: [{ parameters: { binary_data_size: 4 } }],
  });
  t.end();
});
