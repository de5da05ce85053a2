/**
 * Requests that are wrong in every way a client can be wrong. Each is refused with its status and an error that names no
 * path, and each is followed by a request whose answer is known.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { linkedRepository, startTestServer } from '../support/running.js';
import { ask, RawClient, requestBytes } from '../support/raw-http.js';
import { fp32, infer, readAnswer, wireBody } from '../support/v2-wire.js';

const JSON_LIMIT = 40 * 1024 * 1024;
const GOOD = '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}';
const HEADER = 'inference-header-content-length';

interface Bad {
  readonly what: string;
  readonly model?: string;
  readonly body: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly status?: number;
}

/** The good request with one member of its input replaced. */
function withInput(changes: Record<string, string>): string {
  const members = {
    name: '"INPUT0"',
    shape: '[1,4]',
    datatype: '"FP32"',
    data: '[1,2,3,4]',
    ...changes,
  };
  const texts = Object.entries(members).filter(([, text]) => text !== '');
  return `{"inputs":[{${texts.map(([name, text]) => `"${name}":${text}`).join(',')}}]}`;
}

function withMore(more: string): string {
  return `${GOOD.slice(0, -1)},${more}}`;
}

/** JSON that names its blob's size as `size`, and a blob of `bytes` bytes. */
function binary(size: string, bytes: number, headLength?: (length: number) => string): Bad {
  const head = withInput({ data: '', parameters: `{"binary_data_size":${size}}` });
  const headers = { [HEADER]: headLength === undefined ? String(head.length) : headLength(head.length) };
  const what = `binary_data_size ${size}, ${bytes} bytes, ${HEADER} ${headers[HEADER]} of ${head.length}`;
  return { what, body: Buffer.concat([Buffer.from(head), Buffer.alloc(bytes)]), headers };
}

const notJson: readonly Bad[] = [
  ...['', ' ', 'null', '[]', '1', '"text"', 'true', '{', '}', '{}', "{'inputs':[]}", '{"inputs"}'],
  ...[`${GOOD}x`, `${GOOD}${GOOD}`, GOOD.slice(0, -1), GOOD.slice(0, 40), `\ufeff${GOOD}\u0000`],
  ...['{"inputs":null}', '{"inputs":{}}', '{"inputs":[]}', '{"inputs":[1]}', '{"inputs":[[]]}'],
].map((body) => ({ what: `body ${JSON.stringify(body.slice(0, 60))}`, body }));

const wrongTypes: readonly Bad[] = [
  ...[
    { name: '1' },
    { name: 'null' },
    { name: '' },
    { shape: '"1,4"' },
    { shape: '4' },
    { shape: '' },
    { shape: '["1","4"]' },
    { shape: '[1.5,4]' },
    { shape: '[[1],[4]]' },
    { datatype: '1' },
    { datatype: '' },
    { datatype: '"FP31"' },
    { datatype: '"fp32"' },
    { datatype: '"INT32"' },
    { data: '' },
    { data: '"1234"' },
    { data: '{}' },
    { data: '1' },
    { data: '[1,2,3,"4"]' },
    { data: '[1,2,3,true]' },
    { data: '[1,2,3,null]' },
    { data: '[1,2,3,{}]' },
    { data: '[1,2,3]' },
    { data: '[1,2,3,4,5]' },
    { data: '[]' },
    { data: '[1,2,3,4e]' },
    { parameters: '[]' },
    { parameters: '{"binary_data_size":16}' },
  ].map((changes) => ({
    what: `input with ${JSON.stringify(changes)}`,
    body: withInput(changes as unknown as Record<string, string>),
  })),
  ...['"id":1', '"id":{}', '"parameters":[]', '"parameters":1', '"outputs":{}', '"outputs":[1]'],
  ...['"outputs":[{}]', '"outputs":[{"name":1}]', '"outputs":[{"name":"nobody"}]'],
  ...['"outputs":[{"name":"OUTPUT0"},{"name":"OUTPUT0"}]', '"outputs":[{"name":"__proto__"}]'],
].map((bad) => (typeof bad === 'string' ? { what: `request with ${bad}`, body: withMore(bad) } : bad));

const integers: readonly Bad[] = [
  '1.0',
  '1.5',
  '"1"',
  'true',
  '256',
  '-1',
  '1e2',
  '99999999999999999999',
].map((element) => ({
  what: `${element} as UINT8`,
  model: 'identity_uint8',
  body: withInput({ datatype: '"UINT8"', data: `[1,2,3,${element}]` }),
}));

const shapes: readonly Bad[] = [
  '[4]',
  '[1,1,4]',
  '[1,5]',
  '[-1,4]',
  '[1,-4]',
  '[0,4]',
  '[17,4]',
  '[2,4]',
  '[]',
]
  .concat(['[16,1152921504606846978]', '[1,18446744073709551620]', '[9223372036854775807,4]', '[1e30,4]'])
  .concat(['[4294967297,4]', '[1,4294967300]', '[4611686018427387905,4]', `[${'1,'.repeat(5000)}4]`])
  .map((shape) => ({ what: `shape ${shape.slice(0, 60)}`, body: withInput({ shape }) }));

const tooManyRows: Bad = {
  what: '17 rows where 16 are the most',
  body: withInput({ shape: '[17,4]', data: `[${Array(68).fill(1).join(',')}]` }),
};

function inputsNamed(...names: string[]): string {
  const inputs = names.map((name) => GOOD.slice(11, -2).replace('INPUT0', name));
  return `{"inputs":[${inputs.join(',')}]}`;
}

const names: readonly Bad[] = [
  ['INPUT1'],
  ['input0'],
  [''],
  ['__proto__'],
  ['constructor'],
  ['toString'],
  ['INPUT0', 'INPUT0'],
  ['INPUT0', 'INPUT1'],
  ['x'.repeat(100_000)],
].map((inputNames) => ({
  what: `inputs named ${inputNames.join(' and ').slice(0, 40)}`,
  body: inputsNamed(...inputNames),
}));

const missing: Bad = {
  what: 'one of two inputs is missing',
  model: 'add_sub',
  body: `{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"FP32","data":[${Array(16).fill(0).join()}]}]}`,
};

const lies: readonly Bad[] = [
  binary('15', 16),
  binary('17', 16),
  binary('16', 15),
  binary('16', 17),
  binary('0', 0),
  binary('-16', 16),
  binary('"16"', 16),
  binary('0x10', 16),
  binary('16.5', 16),
  binary('1e30', 16),
  binary('18446744073709551632', 16),
  binary('9223372036854775807', 16),
  binary('null', 16),
  binary('16', 16, (length) => String(length + 1)),
  binary('16', 16, (length) => String(length - 1)),
  binary('16', 16, (length) => String(length + 17)),
  binary('16', 16, () => '2147483647'),
  binary('16', 16, () => '2147483648'),
  binary('16', 16, () => '-1'),
  binary('16', 16, () => '0x40'),
  binary('16', 16, () => '1e2'),
  { what: 'raw bytes, one short', body: Buffer.alloc(15), headers: { [HEADER]: '0' } },
  { what: 'raw bytes, one row too long', body: Buffer.alloc(32), headers: { [HEADER]: '0' } },
  { what: 'raw bytes for two inputs', model: 'add_sub', body: Buffer.alloc(64), headers: { [HEADER]: '0' } },
];

const strings: readonly Bad[] = [
  [0xff, 0xff, 0xff, 0xff],
  [5, 0, 0, 0, 65],
  [1, 0, 0, 0, 65, 0],
  [0, 0, 0, 0, 0, 0, 0, 0],
  [],
].map((bytes) => {
  const input = { name: 'INPUT0', datatype: 'BYTES', shape: [1, 1], bytes: Buffer.from(bytes) };
  return { what: `strings [${bytes.join()}]`, model: 'identity_bytes', ...wireBody({ inputs: [input] }) };
});

const badText: readonly Bad[] = [
  { what: 'bytes that are no UTF-8', body: Buffer.concat([Buffer.from(GOOD), Buffer.from([0xff])]) },
  {
    what: 'a name that is no UTF-8',
    body: Buffer.from(GOOD.replace('INPUT0', '\xff\xfe'), 'latin1'),
  },
];

const NESTS = 250_000;

const monsters: readonly Bad[] = [
  { what: 'nested brackets as the body', body: '['.repeat(NESTS) },
  { what: 'nested objects', body: '{"a":'.repeat(NESTS) },
  { what: 'nested data', body: withInput({ data: '['.repeat(NESTS) + ']'.repeat(NESTS) }) },
  { what: 'nested shape', body: withInput({ shape: '['.repeat(NESTS) + ']'.repeat(NESTS) }) },
  {
    what: 'a million inputs',
    body: `{"inputs":[${Array(1_000_000).fill('{}').join(',')}]}`,
  },
];

const targets: readonly Bad[] = [
  { what: 'unknown model', model: 'nobody', body: GOOD, status: 404 },
  { what: 'unknown model, garbage body', model: 'nobody', body: 'garbage', status: 404 },
  { what: 'model __proto__', model: '__proto__', body: GOOD, status: 404 },
  { what: 'model constructor', model: 'constructor', body: GOOD, status: 404 },
  { what: 'unknown version', model: 'versioned/versions/3', body: GOOD, status: 404 },
  { what: 'a version that is no number', model: 'versioned/versions/-1', body: GOOD, status: 404 },
  { what: 'a very long version', model: `versioned/versions/${'9'.repeat(400)}`, body: GOOD, status: 404 },
  { what: 'too large', body: Buffer.alloc(JSON_LIMIT + 1, ' '), status: 413 },
  { what: 'compressed', body: GOOD, headers: { 'content-encoding': 'gzip' }, status: 415 },
];

async function knownAnswer(t: Test, port: number, what: string): Promise<void> {
  const input = { name: 'INPUT0', datatype: 'FP32', shape: [1, 4], bytes: fp32(1, 2, 3, 4) };
  const answer = await infer(port, 'versioned', { inputs: [input] });
  t.same(answer.outputs[0]?.data, [3, 4, 5, 6], `right again after: ${what}`);
}

async function checkBad(t: Test, port: number, bads: readonly Bad[]): Promise<void> {
  for (const { what, model = 'versioned', body, headers = {}, status = 400 } of bads) {
    const answer = readAnswer(await ask(port, 'POST', `/v2/models/${model}/infer`, body, headers));
    t.equal(answer.status, status, `${what}: ${answer.error.slice(0, 200)}`);
    t.same(Object.keys(answer.head), ['error'], what);
    t.notMatch(
      answer.error,
      /0x[0-9a-f]{6}|\/(home|work|usr|tmp|build)\b/,
      `${what}: no paths, no addresses`,
    );
    t.ok(answer.error.length < 2000, `${what}: an error of a fair length`);
    await knownAnswer(t, port, what);
  }
}

for (const transport of ['uws', 'node'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const names_ = ['versioned', 'add_sub', 'identity_uint8', 'identity_bytes'];
    const flags = { transport, jsonBodyBytes: JSON_LIMIT };
    const { server } = await startTestServer(t, linkedRepository(t, names_), flags);
    const { port } = server;
    const groups = { notJson, wrongTypes, integers, shapes, names, lies, strings, badText, targets };
    for (const [name, bads] of Object.entries(groups)) t.test(name, (t) => checkBad(t, port, bads));
    t.test('rows and inputs', (t) => checkBad(t, port, [tooManyRows, missing]));
    t.test('monsters', (t) => checkBad(t, port, monsters));

    t.test('what is ignored may be monstrous: a million keys, deep nests, odd names', async (t) => {
      const nested = withMore(`"x":${'['.repeat(NESTS)}${']'.repeat(NESTS)}`);
      const nestedReply = await ask(port, 'POST', '/v2/models/versioned/infer', nested);
      t.same(readAnswer(nestedReply).outputs[0]?.data, [3, 4, 5, 6]);
      const keys = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":0`).join(',');
      const reply = await ask(port, 'POST', '/v2/models/versioned/infer', withMore(keys));
      t.same(readAnswer(reply).outputs[0]?.data, [3, 4, 5, 6]);
      const odd = withMore('"__proto__":{"inputs":[]},"constructor":1,"parameters":{"__proto__":1}');
      const answer = readAnswer(await ask(port, 'POST', '/v2/models/versioned/infer', odd));
      t.same(answer.outputs[0]?.data, [3, 4, 5, 6]);
      await knownAnswer(t, port, 'a million keys');
    });

    t.test('a good request, cut at every byte', async (t) => {
      for (let length = 0; length < GOOD.length; length += 1) {
        const client = await RawClient.open(port);
        client.write(requestBytes('POST', '/v2/models/versioned/infer', GOOD.slice(0, length)));
        t.equal((await client.reply())?.status, 400, `the first ${length} bytes`);
        client.close();
      }
      await knownAnswer(t, port, 'all the cuts');
    });
  });
}

t.test('model files that are bad are reported, and the others serve', async (t) => {
  const folder = t.testdir({});
  const script = fileURLToPath(new URL('../../scripts/make-models.mjs', import.meta.url));
  execFileSync(process.execPath, [script, '--bad', folder]);
  execFileSync(process.execPath, [script, '--only', 'versioned', '--out', join(folder, 'repository')]);
  const { server } = await startTestServer(t, join(folder, 'repository'));
  const models = [...server.models().models.values()];
  t.ok(models.length > 8, `${models.length} models`);
  for (const { name, isReady } of models) {
    if (name === 'versioned') continue;
    t.equal(isReady, false, `${name} is not ready`);
    const answer = readAnswer(await ask(server.port, 'POST', `/v2/models/${name}/infer`, GOOD));
    t.equal(answer.status, 503, `${name}: ${answer.error.slice(0, 200)}`);
    t.notMatch(answer.error, folder, `${name}: no paths for clients`);
    t.equal((await ask(server.port, 'GET', `/v2/models/${name}/ready`))?.status, 503, name);
    await knownAnswer(t, server.port, name);
  }
  t.equal((await ask(server.port, 'GET', '/v2/health/ready'))?.status, 503, 'readiness is strict');
  t.equal((await ask(server.port, 'GET', '/v2/health/live'))?.status, 200);
});
