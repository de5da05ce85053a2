/**
 * Right answers from a whole server: every data type in JSON and in binary, outputs, versions, shapes, batches. The
 * truth of each case is written by hand next to it.
 */
import t, { type Test } from 'tap';
import { parseExactJson } from '../support/exact-json.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { ask } from '../support/raw-http.js';
import { byteStrings, fp32, infer, int64, readAnswer, wireBody } from '../support/v2-wire.js';

interface Sample {
  readonly datatype: string;
  /** JSON texts of four elements; undefined where JSON has no form for the type. */
  readonly json: readonly string[] | undefined;
  readonly bytes: Buffer;
}

function bytesOf(numbers: { readonly buffer: ArrayBufferLike }): Buffer {
  return Buffer.from(numbers.buffer as ArrayBuffer);
}

const SAMPLES: readonly Sample[] = [
  { datatype: 'BOOL', json: ['true', 'false', 'false', 'true'], bytes: Buffer.from([1, 0, 0, 1]) },
  { datatype: 'UINT8', json: ['0', '1', '254', '255'], bytes: Buffer.from([0, 1, 254, 255]) },
  { datatype: 'INT8', json: ['-128', '-1', '0', '127'], bytes: Buffer.from([128, 255, 0, 127]) },
  {
    datatype: 'UINT16',
    json: ['0', '1', '65534', '65535'],
    bytes: bytesOf(Uint16Array.of(0, 1, 65534, 65535)),
  },
  {
    datatype: 'INT16',
    json: ['-32768', '-1', '0', '32767'],
    bytes: bytesOf(Int16Array.of(-32768, -1, 0, 32767)),
  },
  {
    datatype: 'UINT32',
    json: ['0', '1', '2', '4294967295'],
    bytes: bytesOf(Uint32Array.of(0, 1, 2, 4294967295)),
  },
  {
    datatype: 'INT32',
    json: ['-2147483648', '-1', '0', '2147483647'],
    bytes: bytesOf(Int32Array.of(-2147483648, -1, 0, 2147483647)),
  },
  {
    datatype: 'UINT64',
    json: ['0', '9007199254740993', '18446744073709551614', '18446744073709551615'],
    bytes: bytesOf(BigUint64Array.of(0n, 9007199254740993n, 18446744073709551614n, 18446744073709551615n)),
  },
  {
    datatype: 'INT64',
    json: ['-9223372036854775808', '-9007199254740993', '9007199254740993', '9223372036854775807'],
    bytes: int64(-9223372036854775808n, -9007199254740993n, 9007199254740993n, 9223372036854775807n),
  },
  { datatype: 'FP32', json: ['0.5', '-1.5', '3.25', '1024'], bytes: fp32(0.5, -1.5, 3.25, 1024) },
  {
    datatype: 'FP64',
    json: ['0.1', '-1.5', '5e-324', '1.7976931348623157e308'],
    bytes: bytesOf(Float64Array.of(0.1, -1.5, 5e-324, 1.7976931348623157e308)),
  },
  {
    datatype: 'BYTES',
    json: ['"a"', '""', '"drei \\"3\\" ]"', '"\u4e09"'],
    bytes: byteStrings('a', '', 'drei "3" ]', '\u4e09'),
  },
  { datatype: 'FP16', json: undefined, bytes: bytesOf(Uint16Array.of(0, 0x3c00, 0xc000, 0x7bff)) },
  { datatype: 'BF16', json: undefined, bytes: bytesOf(Uint16Array.of(0, 0x3f80, 0xc000, 0x7f7f)) },
];

const BINARY = '"parameters":{"binary_data_output":true}';

function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

async function checkDatatypes(t: Test, port: number): Promise<void> {
  for (const { datatype, json, bytes } of SAMPLES) {
    const model = `identity_${datatype.toLowerCase()}`;
    const input = { name: 'INPUT0', datatype, shape: [2, 2] };
    const binary = { inputs: [{ ...input, bytes }], more: BINARY };

    const same = await infer(port, model, binary);
    t.match(same, { status: 200, outputs: [{ name: 'OUTPUT0', datatype, shape: [2, 2] }] }, datatype);
    t.same(same.outputs[0]?.bytes, bytes, `${datatype}: binary in, binary out`);

    const toJson = await infer(port, model, { inputs: [{ ...input, bytes }] });
    if (json === undefined) {
      t.equal(toJson.status, 400, `${datatype}: JSON has no form for it`);
      const fromJson = await infer(port, model, { inputs: [{ ...input, json: '[1,2,3,4]' }], more: BINARY });
      t.equal(fromJson.status, 400, `${datatype}: JSON has no form for it`);
      continue;
    }
    const expected = parseExactJson(`[${json.join(',')}]`);
    t.same(toJson.outputs[0]?.data, expected, `${datatype}: binary in, JSON out`);
    for (const text of [`[${json.join(',')}]`, `[[${json[0]}, ${json[1]}],\n[${json[2]},${json[3]}]]`]) {
      const request = { inputs: [{ ...input, json: text }] };
      t.same((await infer(port, model, request)).outputs[0]?.data, expected, `${datatype}: JSON`);
      const binaryOut = await infer(port, model, { ...request, more: BINARY });
      t.same(binaryOut.outputs[0]?.bytes, bytes, `${datatype}: JSON in, binary out`);
    }
  }
}

async function checkOutputs(t: Test, port: number): Promise<void> {
  const left = { name: 'INPUT0', datatype: 'FP32', shape: [1, 16], json: `[${range(16).join(',')}]` };
  const right = { name: 'INPUT1', datatype: 'FP32', shape: [1, 16], bytes: fp32(...range(16, 100)) };
  const inputs = [left, right];
  const sums = range(16).map((index) => index + index + 100);
  const differences = range(16).map(() => -100);
  const one = { name: 'OUTPUT0', shape: [1, 16] };
  const two = { name: 'OUTPUT1', shape: [1, 16] };

  const mixed = await infer(port, 'add_sub', {
    inputs,
    more: '"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}},{"name":"OUTPUT1"}]',
  });
  t.match(mixed.outputs, [one, two]);
  t.same(mixed.outputs[0]?.bytes, fp32(...sums), 'one output binary');
  t.same(mixed.outputs[1]?.data, differences, 'the other JSON');

  for (const more of ['', '"outputs":[]', '"outputs":null', '"parameters":null']) {
    const all = await infer(port, 'add_sub', { inputs: [right, left], more });
    t.match(all.outputs, [one, two], `${more}: all, in the model's order`);
    t.same(all.outputs[0]?.data, sums, 'the order of inputs does not matter');
  }
  const reversed = await infer(port, 'add_sub', {
    inputs,
    more: '"outputs":[{"name":"OUTPUT1"},{"name":"OUTPUT0"}]',
  });
  t.same(
    reversed.outputs.map((output) => output.name),
    ['OUTPUT0', 'OUTPUT1'],
  );
  const only = await infer(port, 'add_sub', { inputs, more: `"outputs":[{"name":"OUTPUT1"}],${BINARY}` });
  t.equal(only.outputs.length, 1);
  t.same(
    only.outputs[0]?.bytes,
    fp32(...differences),
    'the flag of the request is the default of each output',
  );
  const never = '"outputs":[{"name":"OUTPUT1","parameters":{"binary_data":false}}]';
  t.type(
    (await infer(port, 'add_sub', { inputs, more: `${never},${BINARY}` })).outputs[0]?.data?.length,
    'number',
  );
}

async function checkHeads(t: Test, port: number): Promise<void> {
  const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], json: '[1,2,3,4]' }];
  for (const id of ['a', 'with "quotes" and \\ and \u0001', 'héé \u{1f600}', '__proto__']) {
    t.equal((await infer(port, 'versioned', { inputs, more: `"id":${JSON.stringify(id)}` })).head['id'], id);
  }
  for (const more of ['', '"id":""']) {
    t.notOk('id' in (await infer(port, 'versioned', { inputs, more })).head, 'no id, none back');
  }
  for (const [path, version, data] of [
    ['versioned', '2', [3, 4, 5, 6]],
    ['versioned/versions/1', '1', [2, 3, 4, 5]],
    ['versioned/versions/2', '2', [3, 4, 5, 6]],
  ] as const) {
    const answer = await infer(port, path, { inputs });
    t.match(answer.head, { model_name: 'versioned', model_version: version });
    t.same(answer.outputs[0]?.data, data, path);
  }
  const unknown = await infer(port, 'versioned', { inputs, more: '"model_name":"x","extra":{"a":[1,{}]}' });
  t.equal(unknown.status, 200, 'unknown members are ignored');
}

async function checkShapes(t: Test, port: number): Promise<void> {
  const scalar = await infer(port, 'scalar', {
    inputs: [{ name: 'X', datatype: 'FP32', shape: [1], json: '[41]' }],
  });
  t.same(scalar.outputs[0], { name: 'Y', datatype: 'FP32', shape: [1], data: [42], bytes: undefined });

  const turned = await infer(port, 'fixed_shape', {
    inputs: [{ name: 'MATRIX', datatype: 'FP32', shape: [2, 3], json: '[[1,2,3],[4,5,6]]' }],
  });
  t.match(turned.outputs, [{ shape: [3, 2], data: [1, 4, 2, 5, 3, 6] }]);

  const five = range(48, 1);
  const rank5 = await infer(port, 'rank5', {
    inputs: [{ name: 'X', datatype: 'FP32', shape: [2, 2, 2, 3, 2], bytes: fp32(...five) }],
    more: BINARY,
  });
  t.same(rank5.outputs[0]?.shape, [2, 2, 2, 3, 2]);
  t.same(rank5.outputs[0]?.bytes, fp32(...five.map((value) => -value)));

  const joined = await infer(port, 'join', {
    inputs: [
      { name: 'LEFT', datatype: 'INT64', shape: [2, 0], bytes: Buffer.alloc(0) },
      { name: 'RIGHT', datatype: 'INT64', shape: [2, 2], json: '[1,2,3,4]' },
    ],
  });
  t.match(joined.outputs, [{ name: 'JOINED', shape: [2, 2], data: [1, 2, 3, 4] }], 'an input of length 0');
  const empty = await infer(port, 'identity_fp32', {
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [3, 0], json: '[]' }],
  });
  t.match(empty.outputs, [{ shape: [3, 0], data: [] }], 'nothing in, nothing out');
}

async function checkNumbers(t: Test, port: number): Promise<void> {
  const special = await infer(port, 'identity_fp32', {
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], json: '[NaN, Infinity, -Infinity, 7]' }],
  });
  t.same(special.outputs[0]?.data, [NaN, Infinity, -Infinity, 7]);
  const bits = await infer(port, 'identity_fp32', {
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 3], json: '[0.1, -0.0, 16777217]' }],
    more: BINARY,
  });
  t.same(bits.outputs[0]?.bytes, fp32(0.1, -0, 16777217), 'rounded once, the sign of zero kept');
  const bytes = byteStrings(Buffer.from([0xff, 0xfe]), 'ok');
  const binary = { name: 'INPUT0', datatype: 'BYTES', shape: [1, 2], bytes };
  const asBinary = await infer(port, 'identity_bytes', { inputs: [binary], more: BINARY });
  t.same(asBinary.outputs[0]?.bytes, bytes, 'any bytes travel in binary');
  const asJson = await infer(port, 'identity_bytes', { inputs: [binary] });
  t.equal(asJson.status, 400, 'bytes that are no text have no JSON');
  t.match(asJson.error, 'binary');
}

async function checkRawBinary(t: Test, port: number): Promise<void> {
  const values = fp32(...range(4));
  const headers = { 'inference-header-content-length': '0' };
  const reply = await ask(port, 'POST', '/v2/models/versioned/infer', values, headers);
  const answer = readAnswer(reply);
  t.match(answer.outputs, [{ shape: [1, 4] }]);
  t.same(answer.outputs[0]?.bytes, fp32(2, 3, 4, 5), 'a body without any JSON');
}

async function checkBatches(t: Test, port: number): Promise<void> {
  const answers = await Promise.all(
    range(300).map(async (index) => {
      const rows = 1 + (index % 3);
      const length = 1 + (index % 4);
      const values = range(rows * length, index);
      const X = { name: 'X', datatype: 'FP32', shape: [rows, length], bytes: fp32(...values) };
      const answer = await infer(port, 'varlen', { inputs: [X], more: BINARY });
      const sums = range(rows).map((row) =>
        values.slice(row * length, (row + 1) * length).reduce((sum, value) => sum + value, 0),
      );
      const [sum, doubled] = answer.outputs;
      return (
        sum?.bytes?.equals(fp32(...sums)) === true &&
        sum.shape.join() === `${rows},1` &&
        doubled?.bytes?.equals(fp32(...values.map((value) => 2 * value))) === true &&
        doubled.shape.join() === `${rows},${length}`
      );
    }),
  );
  t.equal(answers.filter((isRight) => isRight).length, 300, 'everybody gets the own rows back');
}

async function checkFailures(t: Test, port: number): Promise<void> {
  const ids = range(40).map((index) => (index % 10 === 7 ? 99 : index % 10));
  const answers = await Promise.all(
    ids.map((id) =>
      infer(port, 'failing', {
        inputs: [{ name: 'ID', datatype: 'INT64', shape: [1, 1], json: `[${id}]` }],
      }),
    ),
  );
  for (const [index, answer] of answers.entries()) {
    const id = ids[index] ?? 0;
    if (id === 99) t.match(answer, { status: 500 }, 'the row that fails');
    else t.same(answer.outputs[0]?.data, range(4, 10 * id), 'its neighbours do not');
  }
  t.notMatch(answers.find((answer) => answer.status === 500)?.error, /\/[a-z]+\//, 'no paths for clients');
}

async function checkLongBodies(t: Test, port: number): Promise<void> {
  const values = range(200_000);
  const { body, headers } = wireBody({
    inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, values.length], json: JSON.stringify(values) }],
  });
  const json = readAnswer(await ask(port, 'POST', '/v2/models/identity_int32/infer', body, headers));
  t.same(json.outputs[0]?.data, values, `${body.byteLength} bytes of JSON`);
  const bytes = bytesOf(Int32Array.from(values));
  const binary = await infer(port, 'identity_int32', {
    inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, values.length], bytes }],
    more: BINARY,
  });
  t.ok(binary.outputs[0]?.bytes?.equals(bytes), `${bytes.byteLength} bytes of binary`);
}

const MODELS = [
  ...SAMPLES.map(({ datatype }) => `identity_${datatype.toLowerCase()}`),
  ...['scalar', 'rank5', 'fixed_shape', 'join', 'varlen', 'add_sub', 'versioned', 'failing'],
];

for (const transport of ['uws', 'node'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, MODELS), { transport });
    const { port } = server;
    const checks = {
      'data types': checkDatatypes,
      'outputs and mixed forms': checkOutputs,
      'ids and versions': checkHeads,
      shapes: checkShapes,
      'special numbers and strings': checkNumbers,
      'a body of raw bytes': checkRawBinary,
      'batches of many shapes': checkBatches,
      'a run that fails': checkFailures,
      'long bodies': checkLongBodies,
    };
    for (const [name, check] of Object.entries(checks)) t.test(name, (t) => check(t, port));
  });
}
