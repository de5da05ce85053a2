/**
 * The load generator against small servers whose behaviour is known: what it sends, when, and what it says of the answers.
 * Runs end with their last answer; a bound on time would only make a slow machine end them sooner.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Builder } from 'flatbuffers';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { bundleOf, framesIn } from '../support/frames.js';

const GENERATOR = join(import.meta.dirname, '../../build/Release/sluice-load');

const UNTIL_ANSWERED = ['--warmup-s', '0', '--drain-s', '60'];
/** So many requests one after the other, however long they take. */
const requests = (count: number): string[] => [
  '--requests',
  String(count),
  '--duration-s',
  '60',
  ...UNTIL_ANSWERED,
];

interface Outcome {
  readonly exitCode: number;
  readonly errors: string;
  // The result is read as a client reads it: as JSON of no known type.
  readonly result: ReturnType<typeof JSON.parse>;
}

function load(args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(GENERATOR, args, (error, out, errors) => {
      const exitCode = typeof error?.code === 'number' ? error.code : 0;
      resolve({ exitCode, errors, result: out === '' ? undefined : JSON.parse(out) });
    });
  });
}

type Answer = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void;

async function startHttp(test: Test, answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => answer(request, Buffer.concat(parts), response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startWebSockets(test: Test): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  test.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v2/ws` };
}

function fileIn(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const echo: Answer = (_request, body, response) => response.end(body);

t.test('a trace is sent at its times, each line with its request', async (test) => {
  const folder = test.testdir();
  const seen: string[] = [];
  const url = await startHttp(test, (request, body, response) => {
    seen.push(`${request.url} ${body.toString()}`);
    response.end(body);
  });
  const trace = fileIn(folder, 'trace', '# us request\n1000 1\n60000 0\n30000 1\n90000 1\n');
  const sends = join(folder, 'sends');
  const bodies = ['--body', fileIn(folder, 'a', 'first'), '--path', '/a', '--name', 'a'];
  bodies.push('--body', fileIn(folder, 'b', 'second'), '--path', '/b', '--name', 'b');
  const { result, exitCode } = await load([
    ...[url, '--mode', 'trace', '--trace', trace, '--duration-s', '0.2', '--sends', sends],
    ...[...UNTIL_ANSWERED, ...bodies],
  ]);
  test.not(exitCode, 1);
  test.same(seen, ['/b second', '/b second', '/a first', '/b second']);
  test.equal(result.byName.a.sent, 1);
  test.equal(result.byName.b.byStatus['200'], 3);
  const times = readFileSync(sends, 'utf8').trim().split('\n');
  const intendedNs = times.map((line) => Number(line.split(' ')[0]));
  test.same(intendedNs, [1e6, 30e6, 60e6, 90e6]);
  test.ok(
    times.every((line) => Number(line.split(' ')[1]) >= Number(line.split(' ')[0])),
    'none before its time',
  );
});

t.test('a trace that cannot be read is told with its line', async (test) => {
  const folder = test.testdir();
  const body = fileIn(folder, 'a', 'first');
  for (const line of ['soon', '1 2', '-1', '1 0 0']) {
    const trace = fileIn(folder, 'trace', `5\n${line}\n`);
    const { exitCode, errors } = await load([
      ...['http://127.0.0.1:1', '--mode', 'trace', '--trace', trace, '--body', body],
    ]);
    test.equal(exitCode, 1);
    test.match(errors, `line 2 of the trace ${trace}: expected microseconds`, line);
  }
});

t.test('phases have their own rates, and the timeline shows them', async (test) => {
  const folder = test.testdir();
  const url = await startHttp(test, echo);
  const { result } = await load([
    ...[url, '--mode', 'constant', '--phase', '100:0.2', '--phase', '500:0.2', '--timeline-s', '0.2'],
    ...[...UNTIL_ANSWERED, '--connections', '8', '--body', fileIn(folder, 'a', 'x')],
  ]);
  test.same(
    result.timeline.slots.map((slot: { scheduled: number }) => slot.scheduled),
    [20, 100],
  );
  test.same(
    result.timeline.slots.map((slot: { good: number }) => slot.good),
    [20, 100],
  );
});

t.test(
  'answers are compared when asked: bytes, numbers within a tolerance, floats at the end',
  async (test) => {
    const folder = test.testdir();
    const floats = Buffer.from(Float32Array.of(1, 2.00001).buffer);
    const answer = Buffer.concat([Buffer.from('{"x":[0.3000001,2]}'), floats]);
    const url = await startHttp(test, (_request, _body, response) => response.end(answer));
    const near = Buffer.concat([Buffer.from('{"x":[0.3,2]}'), Buffer.from(Float32Array.of(1, 2).buffer)]);
    const run = async (expected: Uint8Array, floatBytes = 0, tolerance = 0): Promise<Outcome['result']> => {
      const request = ['--body', fileIn(folder, 'a', 'x'), '--expect', fileIn(folder, 'expected', expected)];
      request.push('--expect-float-bytes', String(floatBytes), '--tolerance', String(tolerance));
      return (await load([url, ...request, ...requests(5)])).result;
    };
    const exact = await run(answer);
    test.same([exact.verified, exact.errors.mismatched, exact.good], [5, 0, 5]);
    const strict = await run(near, 8);
    test.same([strict.verified, strict.errors.mismatched, strict.valid, strict.good], [0, 5, false, 0]);
    test.match(strict.reasons.join(), /5 replies had the wrong body/);
    const tolerant = await run(near, 8, 1e-4);
    test.same([tolerant.verified, tolerant.errors.mismatched], [5, 0]);
  },
);

t.test('one of several answers may come, and the times of each are told', async (test) => {
  const folder = test.testdir();
  let count = 0;
  const url = await startHttp(test, (_request, _body, response) => {
    count += 1;
    response.end(['old', 'old', 'new', 'neither', 'new'][count - 1]);
  });
  const words = ['--body', fileIn(folder, 'a', 'x')];
  for (const answer of ['old', 'new']) words.push('--expect', fileIn(folder, answer, answer));
  const beganUs = Date.now() * 1000;
  const { result } = await load([url, ...words, ...requests(5)]);
  const endedUs = (Date.now() + 1) * 1000;
  test.same([result.verified, result.errors.mismatched, result.valid], [4, 1, false]);
  const [old, fresh] = result.expected;
  test.same([old.count, fresh.count], [2, 2]);
  const times = [old.firstSentUnixUs, old.lastSentUnixUs, fresh.firstSentUnixUs, fresh.lastSentUnixUs];
  test.same(
    times,
    [...times].sort((a, b) => a - b),
  );
  test.ok(times[0] >= beganUs && times[3] <= endedUs, 'by the clock of the wall');
});

t.test('refusals are counted, and what is answered under the deadline is good', async (test) => {
  let count = 0;
  const url = await startHttp(test, (request, body, response) => {
    test.equal(request.headers['sluice-deadline-ms'], '600000');
    response.statusCode = count++ % 2 === 0 ? 503 : 200;
    response.end(body);
  });
  const { result } = await load([
    ...[url, '--mode', 'constant', '--rate', '100', '--duration-s', '0.4', ...UNTIL_ANSWERED],
    ...['--deadline-ms', '600000', '--body', fileIn(test.testdir(), 'a', 'x')],
    ...['--header', 'Sluice-Deadline-Ms: 600000'],
  ]);
  test.same(result.byStatus, { 200: 20, 503: 20 });
  test.same([result.scheduled, result.turnedAway.count, result.good, result.givenUp], [40, 20, 20, 0]);
});

t.test('a late answer is not good, and what waited too long for a connection is given up', async (test) => {
  // The first request keeps the only connection until every other one has been due for longer than the deadline.
  const url = await startHttp(
    test,
    (_request, body, response) => void setTimeout(() => response.end(body), 600),
  );
  const { result } = await load([
    ...[url, '--mode', 'constant', '--rate', '100', '--duration-s', '0.4', ...UNTIL_ANSWERED],
    ...['--deadline-ms', '50', '--body', fileIn(test.testdir(), 'a', 'x')],
  ]);
  test.same(result.byStatus, { 200: 1 });
  test.same([result.scheduled, result.good, result.givenUp], [40, 0, 39]);
});

/** A Frame with one table in field `slot`, which has the id and, for an error, a code. */
function frame(slot: number, id: number, code = 0): Uint8Array {
  const builder = new Builder(64);
  builder.startObject(2);
  builder.addFieldInt32(0, id, 0);
  if (code !== 0) builder.addFieldInt16(1, code, 0);
  const table = builder.endObject();
  builder.startObject(6);
  builder.addFieldOffset(slot, table, 0);
  builder.finish(builder.endObject(), 'SLU1');
  return builder.asUint8Array();
}

t.test('frames are told apart by id, whatever their order', async (test) => {
  const folder = test.testdir();
  const { server, url } = await startWebSockets(test);
  const request = Buffer.from(frame(0, 0x01020304));
  const idAt = request.indexOf(Buffer.from([4, 3, 2, 1]));
  const seen = new Set<number>();
  server.on('connection', (socket) => {
    socket.send(frame(4, 0));
    let waiting: number[] = [];
    socket.on('message', (message: Buffer) => {
      const id = message.readUInt32LE(idAt);
      test.notOk(seen.has(id), 'an id is used once');
      seen.add(id);
      waiting.push(id);
      if (waiting.length < 4) return;
      // The last first; one of four is refused (queue full).
      const [first, ...others] = waiting.reverse();
      waiting = [];
      socket.send(frame(3, first ?? 0, 9));
      for (const other of others) socket.send(frame(2, other));
    });
  });
  const { result } = await load([
    ...[url, '--frames', '--in-flight', '4', ...requests(40)],
    ...['--body', fileIn(folder, 'frame', request)],
  ]);
  test.same(result.byStatus, { 200: 30, 503: 10 });
  test.same(result.errors, { connect: 0, broken: 0, badReplies: 0, unanswered: 0, mismatched: 0 });
});

t.test('bundles: what can leave together is one message, and so may the answers be', async (test) => {
  const folder = test.testdir();
  const { server, url } = await startWebSockets(test);
  const request = Buffer.from(frame(0, 0x01020304));
  const idAt = request.indexOf(Buffer.from([4, 3, 2, 1]));
  const counts: number[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (message: Buffer) => {
      const ids = framesIn(message).map((bytes) => Buffer.from(bytes).readUInt32LE(idAt));
      counts.push(ids.length);
      const answers = ids.reverse().map((id) => frame(2, id));
      // Two for themselves, the others together, with something between that answers nobody.
      for (const answer of answers.splice(0, 2)) socket.send(answer);
      if (answers.length > 0) socket.send(bundleOf(frame(4, 0), ...answers));
    });
  });
  const words = [
    url,
    '--frames',
    '--bundles',
    '--in-flight',
    '6',
    '--body',
    fileIn(folder, 'frame', request),
  ];
  const { result } = await load([...words, ...requests(60)]);
  test.same(result.byStatus, { 200: 60 });
  test.same(result.errors, { connect: 0, broken: 0, badReplies: 0, unanswered: 0, mismatched: 0 });
  test.equal(counts[0], 6);
  test.equal(
    counts.reduce((sum, count) => sum + count),
    60,
  );
  const { exitCode, errors } = await load([...words, '--mode', 'constant', '--rate', '1', ...requests(1)]);
  test.equal(exitCode, 1);
  test.match(errors, /--bundles needs --frames and --mode closed/);
});

t.test('an answer with an id that is not under way is a bad reply', async (test) => {
  const folder = test.testdir();
  const { server, url } = await startWebSockets(test);
  server.on('connection', (socket) => socket.on('message', () => socket.send(frame(2, 77_777))));
  const { result, exitCode } = await load([
    ...[url, '--frames', ...requests(1)],
    ...['--body', fileIn(folder, 'frame', frame(0, 5))],
  ]);
  test.equal(exitCode, 2);
  test.equal(result.errors.badReplies, 1);
});
