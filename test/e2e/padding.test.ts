/**
 * Padding rules on a whole server: requests of different lengths over HTTP and WebSocket share runs, and each gets the
 * answer and the shapes that it would get alone. The truth is arithmetic on what was sent.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { seededRandom } from '../../scripts/models/random.mjs';
import { DataType } from '../../src/wire/generated/data-type.js';
import { readExposition } from '../support/exposition.js';
import { requestFrame } from '../support/frames.js';
import { ask } from '../support/raw-http.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { infer, int64, type WireInput } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));
const BINARY = '"parameters":{"binary_data_output":true}';

/** A failure replays. */
function seeded(seed: number): (below: number) => number {
  const next = seededRandom(seed);
  return (below) => Math.floor(next() * below);
}

interface Sent {
  readonly rows: number;
  readonly length: number;
  readonly ids: readonly number[];
  /** undefined: left to the server. */
  readonly mask: readonly number[] | undefined;
}

function randomSent(below: (n: number) => number, rows: number, length: number): Sent {
  const ids = Array.from({ length: rows * length }, () => below(200) - 100);
  // The first of each row is real, so that there is a mean.
  const mask = ids.map((_, index) => (index % length === 0 || below(2) === 0 ? 1 : 0));
  return { rows, length, ids, mask: below(2) === 0 ? mask : undefined };
}

interface Truth {
  readonly POOLED: number[];
  readonly HIDDEN: number[];
  readonly SCORES: number[];
}

function truthOf({ rows, length, ids, mask }: Sent): Truth {
  const truth: Truth = { POOLED: [], HIDDEN: [], SCORES: [] };
  for (let row = 0; row < rows; row += 1) {
    const own = ids.slice(row * length, (row + 1) * length);
    const real = own.map((_, index) => mask?.[row * length + index] ?? 1);
    const sum = own.reduce((total, id, index) => total + id * real[index]!, 0);
    truth.POOLED.push(Math.fround(sum / real.reduce((total, one) => total + one, 0)));
    for (const id of own) truth.HIDDEN.push(id, id / 2);
    for (const a of own) for (const b of own) truth.SCORES.push(a * b);
  }
  return truth;
}

function shapesOf({ rows, length }: Sent): Record<keyof Truth, number[]> {
  return { POOLED: [rows, 1], HIDDEN: [rows, length, 2], SCORES: [rows, length, length] };
}

function inputsOf({ rows, length, ids, mask }: Sent, isBinary: boolean): WireInput[] {
  const tensor = (name: string, values: readonly number[]) => ({
    name,
    datatype: 'INT64',
    shape: [rows, length],
    ...(isBinary ? { bytes: int64(...values.map(BigInt)) } : { json: `[${values.join(',')}]` }),
  });
  const ids64 = tensor('input_ids', ids);
  return mask === undefined ? [ids64] : [tensor('attention_mask', mask), ids64];
}

function valuesOf(name: string, bytes: Buffer): number[] {
  const memory = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return name === 'SCORES' ? [...new BigInt64Array(memory)].map(Number) : [...new Float32Array(memory)];
}

/** Zero of either sign is the same number. */
function isSame(got: readonly number[], expected: readonly number[]): boolean {
  return got.length === expected.length && got.every((value, index) => value === expected[index]);
}

/** What is wrong with an answer over HTTP; empty where nothing is. */
async function wrongOverHttp(port: number, model: string, sent: Sent, isBinary: boolean): Promise<string> {
  const request = { inputs: inputsOf(sent, isBinary), ...(isBinary ? { more: BINARY } : {}) };
  const { status, error, outputs } = await infer(port, model, request);
  if (status !== 200) return `${status} ${error}`;
  const [truth, shapes] = [truthOf(sent), shapesOf(sent)];
  return outputs
    .map(({ name, shape, data, bytes }) => {
      const values =
        bytes === undefined ? (data ?? []).map((text) => Math.fround(Number(text))) : valuesOf(name, bytes);
      const key = name as keyof Truth;
      return `${shape}` === `${shapes[key]}` && isSame(values, truth[key])
        ? ''
        : `${name} [${shape}] ${values}`;
    })
    .join('');
}

function wrongFrame(frame: Awaited<ReturnType<WsClient['frame']>>, sent: Sent): string {
  const response = frame.response();
  if (response === null) return String(frame.error()?.message());
  const [truth, shapes] = [truthOf(sent), shapesOf(sent)];
  return (Object.keys(shapes) as Array<keyof Truth>)
    .map((name, index) => {
      const output = response.outputs(index)!;
      const shape = Array.from({ length: output.shapeLength() }, (_, d) => Number(output.shape(d)));
      const values = valuesOf(name, Buffer.from(output.dataArray()!));
      return `${shape}` === `${shapes[name]}` && isSame(values, truth[name])
        ? ''
        : `${name} [${shape}] ${values}`;
    })
    .join('');
}

async function askFrames(port: number, model: string, all: readonly Sent[]): Promise<string[]> {
  const client = await WsClient.open(port);
  await client.frame();
  all.forEach((sent, id) => {
    const inputs = inputsOf(sent, true).map(({ name, shape, bytes }) => ({
      ...{ name, datatype: DataType.INT64, shape, data: bytes! },
    }));
    client.send(requestFrame({ id, model, inputs }));
  });
  const wrong: string[] = [];
  for (let left = all.length; left > 0; left -= 1) {
    const frame = await client.frame();
    const id = frame.response()?.id() ?? frame.error()?.id() ?? 0;
    wrong.push(wrongFrame(frame, all[id]!));
  }
  client.close();
  await client.closed();
  return wrong;
}

for (const execution of ['inline', 'worker']) {
  t.test(`mixed lengths at the same time, ${execution}`, async (t) => {
    const repository = tokensWith(
      t,
      `parameters { key: "sluice.execution" value { string_value: "${execution}" } }`,
    );
    const { server } = await startTestServer(t, repository);
    const below = seeded(7);
    const make = (): Sent => randomSent(below, 1 + below(3), 1 + below(32));
    for (let round = 0; round < 8; round += 1) {
      const http = Array.from({ length: 24 }, make);
      const frames = Array.from({ length: 24 }, make);
      const wrong = await Promise.all([
        ...http.map((sent, index) => wrongOverHttp(server.port, 'tokens', sent, index % 2 === 0)),
        askFrames(server.port, 'tokens', frames),
      ]);
      t.same(
        wrong.flat().filter((text) => text !== ''),
        [],
        `round ${round}`,
      );
    }
  });
}

/** The tokens model with more in its configuration. */
function tokensWith(
  t: Test,
  more: string,
  padding = '[{"inputs": {"input_ids": {}}, "lengths": [4, 8, 16, 32], "mask": "attention_mask"}]',
): string {
  return repositoryOf(
    t,
    'tokens',
    `max_batch_size: 32
    parameters { key: "sluice.padding" value { string_value: '${padding}' } }
    parameters { key: "sluice.split" value { string_value: "true" } }
    ${more.includes('dynamic_batching') ? '' : 'dynamic_batching { }'} ${more}`,
  );
}

function repositoryOf(t: Test, model: string, config: string): string {
  const repository = join(t.testdir({}), 'models');
  mkdirSync(join(repository, model), { recursive: true });
  symlinkSync(join(MODELS, model, '1'), join(repository, model, '1'));
  writeFileSync(join(repository, model, 'config.pbtxt'), config);
  return repository;
}

t.test('lengths of one bucket make one batch, and what was filled up is counted', async (t) => {
  // Nothing is let go before four rows are together.
  const waits = 'dynamic_batching { max_queue_delay_microseconds: 20000000 preferred_batch_size: [ 4 ] }';
  const { server } = await startTestServer(t, tokensWith(t, waits));
  const below = seeded(3);
  const wrong = await Promise.all(
    [5, 6, 7, 8].map((length) => wrongOverHttp(server.port, 'tokens', randomSent(below, 1, length), true)),
  );
  t.same(wrong, ['', '', '', '']);
  const text = (await ask(server.adminPort, 'GET', '/metrics'))?.body.toString() ?? '';
  const samples = readExposition(text, 'prometheus').get('sluice_padded_elements_total')?.samples ?? [];
  t.same(
    samples.map(({ labels, value }) => [labels['of'], value]),
    [
      ['requests', 26],
      ['padding', 6],
    ],
  );
  t.match(text, /^sluice_batch_rows_sum\{[^}]*\} 4$/m);
  t.match(text, /^sluice_batch_rows_count\{[^}]*\} 1$/m);
  t.match(text, /^sluice_run_cost_seconds\{model="tokens",version="1",length="32",rows="32"\} /m);
});

t.test('edges', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['tokens']));
  const { port } = server;
  const below = seeded(5);

  t.test('the lengths at the edges of buckets', async (t) => {
    for (const length of [1, 3, 4, 5, 8, 9, 16, 17, 31, 32])
      for (const rows of [1, 2])
        t.equal(
          await wrongOverHttp(port, 'tokens', randomSent(below, rows, length), rows === 1),
          '',
          `${length}`,
        );
  });

  t.test('length 0', async (t) => {
    const input = { name: 'input_ids', datatype: 'INT64', shape: [2, 0], json: '[]' };
    const { outputs } = await infer(port, 'tokens', { inputs: [input], more: BINARY });
    t.same(
      outputs.map(({ name, shape }) => [name, shape]),
      [
        ['POOLED', [2, 1]],
        ['HIDDEN', [2, 0, 2]],
        ['SCORES', [2, 0, 0]],
      ],
    );
  });

  t.test('a request of more rows than a batch is run in pieces', async (t) => {
    for (const length of [3, 8])
      t.equal(
        await wrongOverHttp(port, 'tokens', randomSent(below, 75, length), true),
        '',
        `length ${length}`,
      );
  });

  t.test('what does not fit is refused with what was expected', async (t) => {
    const ids = (length: number, name = 'input_ids') => ({
      ...{ name, datatype: 'INT64', shape: [1, length], json: `[${Array(length).fill(1).join(',')}]` },
    });
    const refused = async (inputs: ReturnType<typeof ids>[]) => {
      const { status, error } = await infer(port, 'tokens', { inputs });
      return `${status} ${error}`;
    };
    const model = 'of model "tokens" version 1';
    t.equal(
      await refused([ids(33)]),
      `400 expected a length of at most 32 for input "input_ids" ${model}, got 33`,
    );
    t.equal(
      await refused([ids(5), ids(4, 'attention_mask')]),
      `400 expected one length for input "input_ids" and input "attention_mask" ${model}, got 5 and 4`,
    );
    t.match(
      await refused([ids(5, 'attention_mask')]),
      /^400 model "tokens" version 1 needs input "input_ids"/,
    );
    const frames = await askFrames(port, 'tokens', [randomSent(below, 1, 33)]);
    t.match(frames, [/expected a length of at most 32 for input "input_ids"/]);
    t.equal(
      await wrongOverHttp(port, 'tokens', randomSent(below, 1, 32), true),
      '',
      'and the next is served',
    );
  });

  t.test('metadata and configuration tell of the mask', async (t) => {
    const read = async (path: string) =>
      JSON.parse((await ask(port, 'GET', `/v2/models/tokens${path}`))?.body.toString() ?? '') as object;
    t.match(await read(''), { inputs: [{ name: 'input_ids', shape: [-1, -1] }, { name: 'attention_mask' }] });
    const padding = [
      ...[{ inputs: { input_ids: { value: 0 } }, lengths: [4, 8, 16, 32], mask: 'attention_mask' }],
    ];
    t.match(await read('/config'), {
      input: [
        { name: 'input_ids', optional: false },
        { name: 'attention_mask', optional: true },
      ],
      parameters: { 'sluice.padding': { string_value: JSON.stringify(padding) } },
    });
  });
});

t.test('a rule that does not fit the model keeps it from serving, and says why', async (t) => {
  const rule = '[{"inputs": {"LEFT": {}}, "lengths": [4, 8]}]';
  const config = `max_batch_size: 16
    parameters { key: "sluice.padding" value { string_value: '${rule}' } }`;
  const { lines } = await startTestServer(t, repositoryOf(t, 'join', config));
  t.ok(
    lines.some(({ level, fields, message }) =>
      /output "JOINED" has shape \[1,5\] and is not as long as the padded inputs/.test(
        `${level === 'error' ? '' : ''}${message} ${JSON.stringify(fields).replaceAll('\\"', '"')}`,
      ),
    ),
    JSON.stringify(lines),
  );
});
