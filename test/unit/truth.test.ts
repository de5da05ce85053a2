/** The tests' own truth, held against values known on paper: what judges the server must itself be judged. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import * as elements from '../support/elements.js';
import { parseExactJson } from '../support/exact-json.js';
import { readConstants } from '../support/onnx-constants.js';
import * as truth from '../support/truth.js';
import * as v2 from '../support/v2.js';
import { failing } from '../../scripts/models/troublesome.mjs';
import { digits } from '../../scripts/models/digits.mjs';

const EXAMPLES = new URL('../../examples/', import.meta.url);

t.test('FP16 and BF16', async (t) => {
  const halves: Array<[number, number]> = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [0.333251953125, 0x3555],
    [65504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1023 * 2 ** -24, 0x03ff],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
  ];
  for (const [x, bits] of halves) {
    t.equal(elements.encodeHalf(x), bits, `FP16 bits of ${x}`);
    t.ok(Object.is(elements.decodeHalf(bits), x), `FP16 value of ${bits.toString(16)}`);
  }
  t.equal(elements.encodeHalf(1 / 3), 0x3555, 'rounds to the nearest');
  t.equal(elements.encodeHalf(65520), 0x7c00, 'rounds up to Infinity');
  t.equal(elements.encodeHalf(65519), 0x7bff);
  t.equal(elements.encodeHalf(1 + 2 ** -11), 0x3c00, 'a tie goes to the even neighbour below');
  t.equal(elements.encodeHalf(1 + 3 * 2 ** -11), 0x3c02, 'a tie goes to the even neighbour above');
  t.equal(elements.encodeHalf(2 - 2 ** -12), 0x4000, 'a carry reaches the exponent');
  t.ok(Number.isNaN(elements.decodeHalf(elements.encodeHalf(NaN))));

  const brains: Array<[number, number]> = [
    [1, 0x3f80],
    [-2.5, 0xc020],
    [3.140625, 0x4049],
    [Infinity, 0x7f80],
    [-0, 0x8000],
  ];
  for (const [x, bits] of brains) {
    t.equal(elements.encodeBfloat16(x), bits, `BF16 bits of ${x}`);
    t.ok(Object.is(elements.decodeBfloat16(bits), x), `BF16 value of ${bits.toString(16)}`);
  }
  t.equal(elements.encodeBfloat16(Math.PI), 0x4049, 'rounds to the nearest');
  t.equal(elements.encodeBfloat16(1 + 2 ** -8), 0x3f80, 'a tie goes to the even neighbour');
  t.ok(Number.isNaN(elements.decodeBfloat16(elements.encodeBfloat16(NaN))));
});

t.test('elements as bytes', async (t) => {
  const packed: Array<[string, elements.Element[], string]> = [
    ['BOOL', [true, false], '0100'],
    ['UINT8', [255], 'ff'],
    ['INT8', [-2], 'fe'],
    ['UINT16', [258], '0201'],
    ['INT16', [-2], 'feff'],
    ['UINT32', [4294967295], 'ffffffff'],
    ['INT32', [1, -1], '01000000ffffffff'],
    ['UINT64', [18446744073709551615n], 'ffffffffffffffff'],
    ['INT64', [-9223372036854775808n, 9007199254740993n], '000000000000008001000000000020' + '00'],
    ['FP16', [1, -2], '003c00c0'],
    ['BF16', [1, -2.5], '803f20c0'],
    ['FP32', [1, -0.5], '0000803f000000bf'],
    ['FP64', [1], '000000000000f03f'],
    ['BYTES', [Buffer.from('ab'), Buffer.alloc(0), Buffer.of(255)], '0200000061620000000001000000ff'],
  ];
  for (const [datatype, values, hex] of packed) {
    t.equal(elements.packElements(datatype, values).toString('hex'), hex, `${datatype} packed`);
    t.strictSame(elements.unpackElements(datatype, Buffer.from(hex, 'hex')), values, `${datatype} unpacked`);
  }
  t.throws(() => elements.unpackBytes(Buffer.from('020000', 'hex')), /length of 4 bytes/);
  t.throws(() => elements.unpackBytes(Buffer.from('0200000061', 'hex')), /up to byte 6/);
  t.throws(() => elements.unpackElements('INT32', Buffer.alloc(5)), /multiple of 4/);
});

t.test('JSON without loss', async (t) => {
  t.equal(parseExactJson('9007199254740993'), 9007199254740993n);
  t.equal(parseExactJson('-9223372036854775808'), -9223372036854775808n);
  t.equal(parseExactJson('9007199254740991'), 9007199254740991);
  t.strictSame(parseExactJson(' [1, -2.5e3, NaN, -Infinity, true, null, "a\\u00e9\\n"] '), [
    1,
    -2500,
    NaN,
    -Infinity,
    true,
    null,
    'aé\n',
  ]);
  t.equal((parseExactJson('{"__proto__":1}') as { [key: string]: unknown })['__proto__'], 1);
  for (const bad of ['', '[1,]', '{"a":1,"a":2}', '1 2', '01', '"\n"', '[1', '{"a"}', "{'a':1}"]) {
    t.throws(() => parseExactJson(bad), /expected/, `refuses ${bad}`);
  }
  t.throws(() => parseExactJson(Buffer.of(0x22, 0xff, 0x22)), 'refuses what is not UTF-8');
});

t.test('requests', async (t) => {
  const ids = { name: 'A', datatype: 'INT64', shape: [1, 2], elements: [1n, 9007199254740993n] };
  const text = { name: 'B', datatype: 'BYTES', shape: [1], elements: [Buffer.from('"é')] };
  const json = v2.buildJsonRequest({ id: 'x', inputs: [ids, text] });
  t.equal(
    json.body.toString(),
    '{"id":"x","inputs":[{"name":"A","shape":[1,2],"datatype":"INT64","data":[1,9007199254740993]},' +
      '{"name":"B","shape":[1],"datatype":"BYTES","data":["\\"é"]}]}',
  );
  t.strictSame(json.headers, {});

  const mixed = v2.buildRequest({
    inputs: [{ ...ids, form: 'binary' }, text],
    outputs: [{ name: 'C', form: 'binary' }, { name: 'D' }],
  });
  const head =
    '{"inputs":[{"name":"A","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":16}},' +
    '{"name":"B","shape":[1],"datatype":"BYTES","data":["\\"é"]}],' +
    '"outputs":[{"name":"C","parameters":{"binary_data":true}},{"name":"D"}]}';
  const headLength = Buffer.byteLength(head);
  t.strictSame(mixed.headers, { 'inference-header-content-length': String(headLength) });
  t.equal(mixed.body.subarray(0, headLength).toString(), head);
  t.equal(mixed.body.subarray(headLength).toString('hex'), '01000000000000000100000000002000');

  const binary = v2.buildBinaryRequest({ inputs: [text] });
  t.match(binary.body.toString('latin1'), /"parameters":{"binary_data_output":true}}\x03\x00\x00\x00"/);
  const raw = v2.buildRawRequest('FP32', [1]);
  t.strictSame([raw.headers['inference-header-content-length'], raw.body.toString('hex')], ['0', '0000803f']);
  t.equal(v2.buildRawRequest('BYTES', [Buffer.from('ab')]).body.toString(), 'ab');
});

t.test('replies', async (t) => {
  const head = '{"id":"7","model_name":"m","model_version":"2","outputs":[';
  const json = `${head}{"name":"A","datatype":"INT64","shape":[1,2],"data":[-1,9223372036854775807]}]}`;
  const jsonType = { 'content-type': 'application/json' };
  const reply = v2.parseReply(jsonType, Buffer.from(json));
  t.strictSame([reply.id, reply.modelName, reply.modelVersion], ['7', 'm', '2']);
  t.strictSame(reply.outputs.get('A')?.elements, [-1n, 9223372036854775807n]);

  const mixed =
    `${head}{"name":"A","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},` +
    '{"name":"B","datatype":"BOOL","shape":[2],"data":[true,false]},' +
    '{"name":"C","datatype":"UINT16","shape":[1,1],"parameters":{"binary_data_size":2}}]}';
  const body = Buffer.concat([Buffer.from(mixed), Buffer.from('0000803f0201', 'hex')]);
  const binaryHeaders = new Headers({
    'Content-Type': 'application/octet-stream',
    'Inference-Header-Content-Length': String(mixed.length),
  });
  const { outputs } = v2.parseReply(binaryHeaders, body);
  t.strictSame(
    [...outputs.values()].map((output) => [output.name, output.form, output.elements]),
    [
      ['A', 'binary', [1]],
      ['B', 'json', [true, false]],
      ['C', 'binary', [258]],
    ],
  );

  t.throws(() => v2.parseReply(binaryHeaders, body.subarray(0, -1)), /bytes for 'C'/);
  t.throws(() => v2.parseReply(binaryHeaders, Buffer.concat([body, body])), /to end at byte/);
  t.throws(() => v2.parseReply({ 'content-type': 'text/plain' }, Buffer.from(json)), /content type/);
  t.throws(() => v2.parseReply(jsonType, Buffer.from(json.replace('[1,2]', '[1,3]'))), /3 elements/);
  t.throws(() => v2.parseReply(jsonType, Buffer.from(json.replace('INT64', 'BOOL'))), /element of BOOL/);
  t.equal(v2.parseError(Buffer.from('{"error":"no"}')), 'no');
  t.throws(() => v2.parseError(Buffer.from('{"message":"no"}')), /error/);
});

t.test('models on paper', async (t) => {
  const layers: truth.Layer[] = [
    { inputs: 2, outputs: 3, weights: [1, 2, 3, 4, 5, 6], biases: [0, 1, -100] },
    { inputs: 3, outputs: 1, weights: [1, -1, 7], biases: [0.5] },
  ];
  // [1, 1] -> [5, 8, -91] -> Relu [5, 8, 0] -> 5 - 8 + 0.5
  t.strictSame(truth.perceptron(layers, [1, 1]), [-2.5]);
  t.throws(() => truth.perceptron(layers, [1]), /2 values/);
  t.ok(truth.isClose(truth.softmax([0, Math.log(3)]), [0.25, 0.75], 1e-15));
  t.ok(truth.isClose(truth.softmax([1000, 1000]), [0.5, 0.5]), 'large scores do not overflow');
  t.strictSame(truth.addSub([16777216], [1]), { sum: [16777216], difference: [16777215] }, 'FP32 rounds');
  t.strictSame(truth.addSubInt32([2147483647], [1]), { sum: [-2147483648], difference: [2147483646] });
  t.strictSame(truth.variableLength([1, 2, 4]), { sum: 7, doubled: [2, 4, 8] });
  t.strictSame(truth.tableRow(9n), [90, 91, 92, 93]);
  t.equal(truth.tableRow(10), undefined);
  t.equal(truth.tableRow(-1), undefined);
  t.strictSame(truth.embedding(3).slice(0, 3), [3, 3.125, 3.25]);
  t.notOk(truth.isClose([1, 2.001], [1, 2]));
  t.notOk(truth.isClose([1], [1, 2]));
  t.notOk(truth.isClose([NaN], [1]));
});

t.test('model files', async (t) => {
  const table = readConstants(failing()).get('table');
  t.strictSame(table?.dims, [10, 4]);
  t.strictSame([...(table?.floats.subarray(36) ?? [])], [90, 91, 92, 93]);

  const learned = {
    layers: [
      {
        weights: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        biases: [7, 8, 9],
      },
      { weights: [[1], [2], [3]], biases: [4] },
    ],
  };
  t.strictSame(
    truth
      .readLayers(digits(learned))
      .map((layer) => ({ ...layer, weights: [...(layer.weights as Float32Array)] })),
    [
      { inputs: 2, outputs: 3, weights: [1, 2, 3, 4, 5, 6], biases: Float32Array.of(7, 8, 9) },
      { inputs: 3, outputs: 1, weights: [1, 2, 3], biases: Float32Array.of(4) },
    ],
  );
  t.throws(() => truth.readLayers(failing()), /W0/);
});

t.test('the committed digit classifier', async (t) => {
  const layers = truth.readLayers(readFileSync(new URL('models/digits/1/model.onnx', EXAMPLES)));
  const heldOut = JSON.parse(readFileSync(new URL('held-out-digits.json', EXAMPLES), 'utf8')) as {
    pixels: number[][];
    labels: number[];
  };
  const right = heldOut.labels.filter((label, i) => truth.digit(layers, heldOut.pixels[i]!).label === label);
  t.equal(heldOut.labels.length, 360);
  t.equal(right.length, 354, 'as many right as the examples state');

  for (const label of [1, 2, 9]) {
    const request = JSON.parse(readFileSync(new URL(`requests/digit-${label}.json`, EXAMPLES), 'utf8')) as {
      inputs: Array<{ data: number[] }>;
    };
    t.equal(truth.digit(layers, request.inputs[0]!.data).label, label, `digit-${label}.json`);
  }
  const [json, binary] = ['json', 'bin'].map((end) =>
    readFileSync(new URL(`requests/digit-2.${end}`, EXAMPLES)),
  );
  const pixels = (JSON.parse(json!.toString()) as { inputs: Array<{ data: number[] }> }).inputs[0]!.data;
  t.strictSame(
    elements.unpackElements('FP32', binary!.subarray(172)),
    pixels,
    'the binary request holds the same image',
  );
  t.equal(JSON.parse(binary!.subarray(0, 172).toString()).inputs[0].parameters.binary_data_size, 256);
});
