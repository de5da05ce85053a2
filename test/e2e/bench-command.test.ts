/** `sluice bench` against a small V2 server of another make: exit codes, results, gates, comparison. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as sendOn } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Command } from 'commander';
import { Builder, ByteBuffer } from 'flatbuffers';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { addBench } from '../../src/cli/bench.js';
import { CommandEnd } from '../../src/cli/exit-codes.js';
import { Frame } from '../../src/wire/generated/frame.js';
import { InferResponse } from '../../src/wire/generated/infer-response.js';

interface Ended {
  readonly exitCode: number;
  readonly out: string;
  readonly errors: string;
}

/** In this process: a bench starts the generator, nothing else of it needs one of its own. */
async function bench(...args: string[]): Promise<Ended> {
  let out = '';
  const program = new Command().exitOverride();
  addBench(program, { write: (text) => (out += text) });
  try {
    await program.parseAsync(['bench', ...args], { from: 'user' });
    return { exitCode: 0, out, errors: '' };
  } catch (error) {
    if (!(error instanceof CommandEnd)) throw error;
    return { exitCode: error.exitCode, out, errors: error.message };
  }
}

/** Doubles one FP32 input of any number of rows; every third answer is off by `error`. */
async function startDoubler(test: Test, error = 0): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.url === '/v2/models/doubler')
        return response.end(
          JSON.stringify({ name: 'doubler', inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }] }),
        );
      if (request.url !== '/v2/models/doubler/infer') {
        response.statusCode = 404;
        return response.end('{"error":"no such model here"}');
      }
      const body = Buffer.concat(parts);
      const headLength = Number(request.headers['inference-header-content-length']);
      const { shape } = JSON.parse(body.toString('utf8', 0, headLength)).inputs[0];
      count += 1;
      const off = count % 3 === 0 ? error : 0;
      const floats = new Float32Array(Uint8Array.from(body.subarray(headLength)).buffer).map(
        (x) => 2 * x + off,
      );
      const bytes = Buffer.from(floats.buffer);
      const output = { name: 'Y', datatype: 'FP32', shape, parameters: { binary_data_size: bytes.length } };
      const head = Buffer.from(JSON.stringify({ outputs: [output] }));
      response.setHeader('inference-header-content-length', head.length);
      return response.end(Buffer.concat([head, bytes]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const SHORT = ['--duration', '0.2', '--warmup', '0', '--connections', '4'];

t.test('a rate in rounds: JSON, page, gates, comparison with itself', async (test) => {
  const url = await startDoubler(test);
  const folder = test.testdir();
  const [out, html] = [join(folder, 'a.json'), join(folder, 'a.html')];
  const load = [url, '-m', 'doubler', '--rate', '200', '--rounds', '3', '--rows', '1,3', ...SHORT];
  const first = await bench(...load, '--verify', '--out', out, '--html', html, '--fail-if', 'p50<1us');
  test.equal(first.exitCode, 0, first.errors);
  test.match(first.out, /^POINT .*\n200\/s .*/);
  test.match(first.out, /doubler 3 rows/);
  const report = JSON.parse(readFileSync(out, 'utf8'));
  const [point] = report.points;
  test.equal(point.rounds.length, 3);
  test.equal(point.verified, point.replies);
  test.equal(point.mismatched, 0);
  test.ok(
    point.rowsPerS > 1.9 * point.goodPerS && point.rowsPerS < 2.1 * point.goodPerS,
    'two rows on average',
  );
  const page = readFileSync(html, 'utf8');
  test.match(page, /<svg /);
  test.notMatch(
    page,
    /(src|href)=|https?:\/\/(?!127\.0\.0\.1|www\.w3\.org\/2000\/svg)/,
    'needs nothing from elsewhere',
  );

  const stopped = await bench(...load, '--fail-if', 'rate<1000000', '--fail-if', 'p50>1us');
  test.equal(stopped.exitCode, 4);
  test.match(stopped.errors, 'stopped by rate<1000000 at 200/s: got ');
  const slower = join(folder, 'b.json');
  const slow = (round: { p50Us: number; p99Us: number }) => ({ ...round, p50Us: 1.5 * round.p50Us });
  const changed = { ...report, points: [{ ...point, rounds: point.rounds.map(slow) }] };
  writeFileSync(slower, JSON.stringify(changed));
  const compared = await bench('compare', out, slower, '--fail-if', 'p50>+20%');
  test.equal(compared.exitCode, 4);
  test.match(compared.out, /200\/s +p50 .* 1\.500 +1\.500 - 1\.500 +3 +different/);
  test.match(compared.errors, 'stopped by p50>+20% at 200/s: got +50.0 %');
  test.equal((await bench('compare', out, out, '--fail-if', 'p50>+20%')).exitCode, 0);
});

t.test('answers that differ are counted', async (test) => {
  const url = await startDoubler(test, 0.5);
  const load = [url, '-m', 'doubler', '--mode', 'closed', '--distinct', '1', '--verify', '--json', ...SHORT];
  const { exitCode, out } = await bench(...load);
  test.equal(exitCode, 0);
  const [point] = JSON.parse(out).points;
  test.ok(Math.abs(point.mismatched / (point.mismatched + point.verified) - 1 / 3) < 0.01);
  test.equal(point.valid, false);
});

t.test('frames carry the tensors, the deadline and the header of the upgrade', async (test) => {
  const url = await startDoubler(test);
  const frames = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(frames, 'listening');
  test.teardown(() => {
    for (const client of frames.clients) client.terminate();
    frames.close();
  });
  const seen = new Set<string>();
  frames.on('connection', (socket, request) => {
    const key = String(request.headers['x-key']);
    socket.on('message', (message: Buffer) => {
      const infer = Frame.getRootAsFrame(new ByteBuffer(message)).request();
      const input = infer?.inputs(0);
      const floats = new Float32Array(Uint8Array.from(input?.dataArray() ?? []).buffer);
      const isInRange = floats.length === 12 && floats.every((value) => value >= -1 && value < 1);
      const shape = `${input?.shape(0)},${input?.shape(1)}`;
      seen.add(
        `${request.url} ${key} ${infer?.model()} ${input?.name()} ${shape} ${infer?.deadlineMs()} ${isInRange}`,
      );
      const builder = new Builder(64);
      InferResponse.startInferResponse(builder);
      InferResponse.addId(builder, infer?.id() ?? 0);
      const response = InferResponse.endInferResponse(builder);
      Frame.startFrame(builder);
      Frame.addResponse(builder, response);
      Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
      socket.send(builder.asUint8Array());
    });
  });
  // Metadata and the first question go over HTTP: one address for both.
  const proxy = createServer((request, response) => {
    const forward = sendOn(
      url + String(request.url),
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(forward);
  });
  proxy.on('upgrade', (request, socket, head) =>
    frames.handleUpgrade(request, socket, head, (webSocket) => frames.emit('connection', webSocket, request)),
  );
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  test.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const both = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const load = [
    both,
    '-m',
    'doubler',
    '--rate',
    '200',
    '--rows',
    '3',
    '--form',
    'frame',
    '--in-flight',
    '2',
    ...SHORT,
  ];
  const { out, exitCode } = await bench(...load, '--deadline', '500', '--header', 'x-key: secret', '--json');
  test.equal(exitCode, 0);
  const [point] = JSON.parse(out).points;
  test.equal(point.failures, 0);
  test.equal(point.byStatus['200'], point.replies);
  test.same([...seen], ['/v2/ws secret doubler X 3,4 500 true']);
});

t.test('offline sends the rows that were asked for', async (test) => {
  const url = await startDoubler(test);
  const { out } = await bench(
    url,
    '-m',
    'doubler',
    '--mode',
    'offline',
    '--samples',
    '100',
    '--rows',
    '8',
    '--json',
  );
  const report = JSON.parse(out);
  test.match(report.findings, { samples: 100, rowsPerRequest: 8 });
  test.equal(report.points[0].replies, 13);
});

t.test('what cannot work is told before any load', async (test) => {
  const url = await startDoubler(test);
  const cases: Array<[number, string, ...string[]]> = [
    [1, 'got 404: {"error":"no such model here"}', url, '-m', 'other', '--rate', '1'],
    [
      1,
      'no answer from http://127.0.0.1:1/v2/models/doubler',
      'http://127.0.0.1:1',
      '-m',
      'doubler',
      '--rate',
      '1',
    ],
    [2, '--mode rate needs --rate', url, '-m', 'doubler'],
    [2, 'expected --model', url],
    [2, 'TLS is not spoken', 'https://127.0.0.1', '-m', 'doubler'],
    [2, '--mode search needs --limit', url, '-m', 'doubler', '--mode', 'search'],
    [2, 'expected a condition like', url, '-m', 'doubler', '--rate', '1', '--fail-if', 'slow'],
    [2, 'has no input "Z": X', url, '-m', 'doubler', '--rate', '1', '--shape', 'Z:4'],
    [2, 'a ws:// URL needs --frame', 'ws://127.0.0.1:1/'],
  ];
  for (const [exitCode, text, ...args] of cases) {
    const ended = await bench(...args);
    test.equal(ended.exitCode, exitCode, text);
    test.match(ended.errors, text);
  }
});
