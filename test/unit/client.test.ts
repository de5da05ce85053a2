/**
 * The client over sockets and a clock that move only when told: what is sent, what comes back, what is waited for, what is
 * given up, and what is sent again.
 */
import t, { type Test } from 'tap';
import { Client } from '../../src/client/client.js';
import { InferError } from '../../src/client/errors.js';
import {
  echoFrame,
  emptyFrame,
  errorFrame,
  goodbyeFrame,
  helloFrame,
  PAIRS,
  responseFrame,
} from '../support/server-frames.js';
import { greet, openClient, PuppetSurroundings, type PuppetSocket } from '../support/puppet-socket.js';

const PAIR = { x: Float32Array.of(1, 2) };

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => error,
  );
}

/** The one request that the socket was sent. */
function only(socket: PuppetSocket) {
  const requests = socket.takeRequests();
  if (requests.length !== 1) throw new Error(`expected one request, got ${requests.length}`);
  return requests[0]!;
}

t.test('a call is one frame, and its answer one promise', async (t) => {
  const { client, socket, around } = await openClient();
  t.same([...client.models.keys()], ['m']);
  const promise = client.infer<{ y: 'FP32' }>('m', PAIR, {
    version: 'canary',
    outputs: ['y'],
    deadlineMs: 250,
    priority: 2,
    key: 'user-1',
    traceparent: '00-1-2-00',
    times: true,
  });
  const request = only(socket);
  t.match(request, {
    id: 1,
    modelNumber: 7,
    model: null,
    version: 'canary',
    inputs: [{ name: 'x', datatype: 11, shape: [1, 2] }],
    outputs: ['y'],
    deadlineMs: 250,
    priority: 2,
    key: 'user-1',
    traceparent: '00-1-2-00',
    wantsTimes: true,
  });
  t.same(request.inputs[0]!.bytes, new Uint8Array(Float32Array.of(1, 2).buffer));
  socket.arrive(
    responseFrame(1, [{ ...request.inputs[0]!, name: 'y' }], { model: 'm', version: '3', times: true }),
  );
  const result = await promise;
  t.match(result, { model: 'm', version: '3', times: { decodeUs: 1, queueUs: 2, runUs: 3, encodeUs: 4 } });
  t.same(result.outputs.y, { name: 'y', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) });
  t.equal(around.timerCount, 0, 'no timer is left behind');
  client.close();
});

t.test('answers come in any order; those for no call are counted and change nothing', async (t) => {
  const { client, socket } = await openClient();
  const first = client.infer('m', { x: Float32Array.of(1, 1) });
  const second = client.infer('m', { x: Float32Array.of(2, 2) });
  const [one, two] = socket.takeRequests();
  socket.arrive(echoFrame(two!));
  socket.arrive(echoFrame(two!));
  socket.arrive(errorFrame(99, 13, 'RUN_FAILED'));
  socket.arrive(emptyFrame());
  socket.arrive(echoFrame(one!));
  t.same((await first).outputs['y']?.data, Float32Array.of(1, 1));
  t.same((await second).outputs['y']?.data, Float32Array.of(2, 2));
  t.match(client.counts, { strayAnswers: 2, inFlight: 0, waiting: 0 });
  client.close();
});

t.test('every error of the server keeps its code, number and pause', async (t) => {
  const { client, socket } = await openClient();
  const errors: [number, string, boolean][] = [
    [1, 'BAD_REQUEST', false],
    [2, 'UNKNOWN_TENSOR', false],
    [3, 'SHAPE_MISMATCH', false],
    [4, 'TYPE_MISMATCH', false],
    [5, 'TOO_LARGE', false],
    [6, 'MODEL_NOT_FOUND', false],
    [7, 'VERSION_NOT_FOUND', false],
    [8, 'NOT_READY', false],
    [9, 'QUEUE_FULL', false],
    [10, 'DEADLINE_PASSED', true],
    [11, 'CANCELLED', true],
    [13, 'RUN_FAILED', true],
    [14, 'INTERNAL', true],
    [120, 'DUPLICATE_ID', false],
    [177, 'OF_A_LATER_SERVER', false],
  ];
  for (const [number, code, mayHaveRun] of errors) {
    const promise = outcome(client.infer('m', PAIR));
    socket.arrive(errorFrame(only(socket).id, number, code, `because ${code}`, number));
    const error = (await promise) as InferError;
    t.ok(error instanceof InferError);
    t.match(error, { code, number, message: `because ${code}`, retryAfterMs: number, mayHaveRun });
  }
  client.close();
});

t.test('credit: what has no room waits in its order, and beyond the queue is refused', async (t) => {
  const { client, socket } = await openClient({ maxWaiting: 2 }, { models: [PAIRS], maxInFlight: 2 });
  t.equal(await outcome(client.ready()), undefined, 'ready at once');
  const calls = [1, 2, 3, 4].map((value) => client.infer('m', { x: Float32Array.of(value, 0) }));
  let isReady = false;
  const ready = client.ready().then(() => (isReady = true));
  t.match(client.counts, { inFlight: 2, waiting: 2 });
  t.match(await outcome(client.infer('m', PAIR)), { code: 'CLIENT_QUEUE_FULL', mayHaveRun: false });
  const [one, two] = socket.takeRequests();
  socket.arrive(echoFrame(two!));
  const three = only(socket);
  t.equal(new Float32Array(three.inputs[0]!.bytes.slice().buffer)[0], 3);
  socket.arrive(echoFrame(one!));
  const four = only(socket);
  await Promise.all([calls[0], calls[1]]);
  t.equal(isReady, false);
  socket.arrive(echoFrame(three));
  await ready;
  socket.arrive(echoFrame(four));
  await Promise.all(calls);
  t.match(client.counts, { inFlight: 0, waiting: 0 });

  socket.bufferedAmount = 5_000_000;
  const choked = client.infer('m', PAIR);
  t.equal(socket.takeRequests().length, 0, 'a socket that does not send is given no more');
  client.close();
  t.match(await outcome(choked), { code: 'CLOSED' });
});

t.test('a socket that has sent what it held is looked at again', async (t) => {
  const { client, socket, around } = await openClient();
  socket.bufferedAmount = 5_000_000;
  const promise = client.infer('m', PAIR);
  around.pass(50);
  t.equal(socket.takeRequests().length, 0);
  socket.bufferedAmount = 0;
  around.pass(10);
  socket.arrive(echoFrame(only(socket)));
  t.ok(await promise);
  client.close();
});

t.test('an abort ends the call at once, tells the server, and its answer is still awaited', async (t) => {
  const { client, socket } = await openClient({}, { models: [PAIRS], maxInFlight: 1 });
  const abort = new AbortController();
  const sent = outcome(client.infer('m', PAIR, { signal: abort.signal }));
  const waiting = outcome(client.infer('m', PAIR, { signal: abort.signal }));
  const third = client.infer('m', PAIR);
  const { id } = only(socket);
  const reason = new Error('changed my mind');
  abort.abort(reason);
  t.equal(await sent, reason);
  t.equal(await waiting, reason);
  t.same(socket.takeFrames(), [{ kind: 'cancel', id }]);
  t.match(client.counts, { inFlight: 1, waiting: 1 }, 'the id is in use until its answer comes');
  socket.arrive(errorFrame(id, 11, 'CANCELLED'));
  socket.arrive(echoFrame(only(socket)));
  t.ok(await third);
  t.equal(client.counts.strayAnswers, 0);
  t.equal(
    await outcome(client.infer('m', PAIR, { signal: abort.signal })),
    reason,
    'aborted before it began',
  );
  t.equal(socket.sent.length, 0);
  client.close();
});

t.test('one signal for many calls: nothing is warned of, and all end', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const { client, socket } = await openClient();
  const abort = new AbortController();
  const calls = Array.from({ length: 40 }, () => outcome(client.infer('m', PAIR, { signal: abort.signal })));
  const reason = new Error('enough');
  abort.abort(reason);
  t.ok((await Promise.all(calls)).every((error) => error === reason));
  t.equal(socket.takeRequests().length, 8);
  t.match(client.counts, { inFlight: 8, waiting: 0 });
  await new Promise(setImmediate);
  t.same(warnings, []);
  client.close();
});

t.test('a deadline counts from the call, in the client and on the wire', async (t) => {
  const { client, socket, around } = await openClient(
    { deadlineMs: 900 },
    { models: [PAIRS], maxInFlight: 1 },
  );
  const first = outcome(client.infer('m', PAIR));
  const second = outcome(client.infer('m', PAIR, { deadlineMs: 500 }));
  const third = outcome(client.infer('m', PAIR, { deadlineMs: 100 }));
  const request = only(socket);
  t.equal(request.deadlineMs, 900);
  around.pass(100);
  t.match(await third, { code: 'DEADLINE_PASSED', mayHaveRun: false });
  around.pass(100);
  socket.arrive(echoFrame(request));
  t.match(await first, { version: '1' });
  const late = only(socket);
  t.equal(late.deadlineMs, 300, 'what waiting left of it');
  around.pass(300);
  t.match(await second, { code: 'DEADLINE_PASSED', mayHaveRun: true });
  t.same(socket.takeFrames(), [{ kind: 'cancel', id: late.id }]);
  socket.arrive(echoFrame(late));
  t.equal(client.counts.inFlight, 0);
  client.close();
});

t.test(
  'a lost connection: what may have run fails, unless it is idempotent; what waits is sent on the next',
  async (t) => {
    const { client, socket, around } = await openClient({}, { models: [PAIRS], maxInFlight: 2 });
    const states: unknown[] = [];
    const plain = outcome(client.infer('m', PAIR));
    const idempotent = client.infer('m', { x: Float32Array.of(3, 4) }, { idempotent: true });
    const waiting = client.infer('m', { x: Float32Array.of(5, 6) });
    socket.takeRequests();
    socket.events.closed(1006, '');
    t.match(await plain, { code: 'CONNECTION_LOST', mayHaveRun: true, message: /1006/ });
    t.equal(around.sockets.length, 1, 'not at once: a random pause comes first');
    around.pass(50);
    t.equal(around.sockets.length, 2);
    greet(around.last, { models: [{ ...PAIRS, number: 31 }] });
    const [again, next] = around.last.takeRequests();
    t.match(again, { modelNumber: 31 }, 'numbers are those of the new hello');
    around.last.arrive(echoFrame(next!));
    around.last.arrive(echoFrame(again!));
    t.same((await idempotent).outputs['y']?.data, Float32Array.of(3, 4));
    t.same((await waiting).outputs['y']?.data, Float32Array.of(5, 6));
    t.equal(client.counts.resent, 1);
    t.same(states, []);
    client.close();
  },
);

t.test(
  'a request that breaks every connection is not sent for ever, and one that is blamed not again',
  async (t) => {
    const { client, socket, around } = await openClient({ idempotent: true, deadlineMs: 0 });
    const poison = outcome(client.infer('m', PAIR));
    for (let times = 0; times < 4; times += 1) {
      t.equal(around.last.takeRequests().length, 1);
      around.last.events.closed(1011, '');
      around.pass(20_000);
      greet(around.last);
    }
    t.match(await poison, { code: 'CONNECTION_LOST' });
    t.equal(around.last.takeRequests().length, 0);
    const blamed = outcome(client.infer('m', PAIR));
    around.last.events.closed(1009, '');
    t.match(await blamed, { code: 'CONNECTION_LOST', message: /1009/ });
    t.equal(socket.closedWith, undefined);
    client.close();
  },
);

t.test('pauses grow with each failure up to a bound, and are spread by chance', async (t) => {
  const { client, around } = await openClient({ deadlineMs: 0 });
  around.chance = 0.999;
  around.last.events.closed(1006, '');
  for (const ms of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    const before = around.sockets.length;
    around.pass(ms * 0.99);
    t.equal(around.sockets.length, before, `less than ${ms} ms`);
    around.pass(ms * 0.02);
    t.equal(around.sockets.length, before + 1, `${ms} ms`);
    around.last.events.closed(1006, '');
  }
  client.close();
  t.equal(around.timerCount, 0);
});

t.test('goodbye: another connection, and no call is lost', async (t) => {
  const { client, socket, around } = await openClient();
  const answered = client.infer('m', PAIR);
  const refused = client.infer('m', { x: Float32Array.of(3, 4) });
  const [one, two] = socket.takeRequests();
  socket.arrive(goodbyeFrame(400));
  const late = client.infer('m', { x: Float32Array.of(5, 6) });
  socket.arrive(errorFrame(two!.id, 12, 'DRAINING'));
  t.equal(socket.sent.length, 0, 'nothing more on the old one');
  socket.arrive(echoFrame(one!));
  t.ok(await answered);
  t.equal(socket.closedWith, 1000, 'closed with its last answer');
  around.pass(599);
  t.equal(around.sockets.length, 1, 'the pause that it asked for, and half of it by chance');
  around.pass(1);
  greet(around.last);
  for (const request of around.last.takeRequests()) around.last.arrive(echoFrame(request));
  t.same((await refused).outputs['y']?.data, Float32Array.of(3, 4));
  t.same((await late).outputs['y']?.data, Float32Array.of(5, 6));
  client.close();
});

t.test('what crossed a goodbye was not read where the server says that all is answered', async (t) => {
  for (const [reason, isSentAgain] of [
    ['all is answered', true],
    ['the time for the last answers is over', false],
  ] as const) {
    const { client, socket, around } = await openClient();
    const promise = outcome(client.infer('m', PAIR));
    socket.takeRequests();
    socket.arrive(goodbyeFrame(0));
    socket.events.closed(1001, reason);
    around.pass(100);
    greet(around.last);
    for (const request of around.last.takeRequests()) around.last.arrive(echoFrame(request));
    t.match(
      await promise,
      isSentAgain ? { version: '1' } : { code: 'CONNECTION_LOST', mayHaveRun: true },
      reason,
    );
    client.close();
  }
});

t.test('more in flight than the server has room for: less at once, and again', async (t) => {
  const { client, socket } = await openClient();
  const calls = [1, 2, 3].map((value) => client.infer('m', { x: Float32Array.of(value, 0) }));
  const [one, two, three] = socket.takeRequests();
  socket.arrive(errorFrame(three!.id, 121, 'TOO_MANY_IN_FLIGHT'));
  t.equal(socket.sent.length, 0, 'not before an answer');
  socket.arrive(echoFrame(one!));
  const again = only(socket);
  socket.arrive(echoFrame(two!));
  socket.arrive(echoFrame(again));
  t.equal((await Promise.all(calls)).length, 3);
  client.close();
});

t.test('what is no frame ends the connection, and what waited for it fails with the reason', async (t) => {
  for (const wrong of ['text', new Uint8Array(0), new Uint8Array(64), helloFrame().subarray(0, 40)]) {
    const { client, socket, around } = await openClient();
    const promise = outcome(client.infer('m', PAIR));
    socket.arrive(wrong);
    const error = (await promise) as InferError;
    t.match(error, { code: 'CONNECTION_LOST', cause: { code: 'BAD_ANSWER' } });
    t.equal(socket.closedWith, 4002);
    around.pass(100);
    t.equal(around.sockets.length, 2, 'and another is opened');
    client.close();
  }
});

t.test('an answer that does not add up fails its own call only', async (t) => {
  const { client, socket } = await openClient();
  const wrong = (bytes: Uint8Array, shape: number[], datatype = 11) => {
    const promise = outcome(client.infer('m', PAIR));
    socket.arrive(responseFrame(only(socket).id, [{ name: 'y', datatype, shape, bytes }]));
    return promise;
  };
  t.match(await wrong(new Uint8Array(8), [1, 3]), { code: 'BAD_ANSWER', message: /12 bytes/ });
  t.match(await wrong(new Uint8Array(8), [-1, -2]), { code: 'BAD_ANSWER' });
  t.match(await wrong(new Uint8Array(8), [2], 99), { code: 'BAD_ANSWER', message: /99/ });
  t.match(await wrong(Uint8Array.of(255, 255, 255, 255, 1), [1], 13), { code: 'BAD_ANSWER' });
  const good = client.infer('m', PAIR);
  socket.arrive(echoFrame(only(socket)));
  t.ok(await good);
  client.close();
});

t.test('a connection that is silent while calls run out of time is taken for dead', async (t) => {
  const { client, socket, around } = await openClient({ deadlineMs: 11_000 });
  const promise = outcome(client.infer('m', PAIR));
  around.pass(11_000);
  t.match(await promise, { code: 'DEADLINE_PASSED' });
  t.equal(socket.closedWith, 4006);
  around.pass(1000);
  t.equal(around.sockets.length, 2);
  client.close();
});

async function checkOpening(t: Test): Promise<void> {
  const fails = async (act: (around: PuppetSurroundings) => void): Promise<unknown> => {
    const around = new PuppetSurroundings();
    const client = new Client('ws://127.0.0.1:1/v2/ws', { connectTimeoutMs: 300 }, around);
    const early = outcome(client.infer('m', PAIR));
    act(around);
    const error = await outcome(client.opened);
    t.equal(await early, error, 'and what was asked before fails with the same');
    t.equal(around.timerCount, 0);
    t.equal(await outcome(client.infer('m', PAIR)), error);
    t.equal(await outcome(client.ready()), error);
    return error;
  };
  t.match(await fails(({ last }) => last.events.closed(1006, 'refused')), {
    code: 'CONNECT_FAILED',
    message: /refused/,
  });
  t.match(await fails((around) => around.pass(300)), {
    code: 'CONNECT_FAILED',
    message: /no hello within 300 ms/,
  });
  t.match(await fails(({ last }) => greet(last, { protocol: 2 })), {
    code: 'UNSUPPORTED_PROTOCOL',
    message: /1, got 2/,
  });
}

t.test('a first connection that fails is told', checkOpening);

t.test('calls go to the connection with the fewest in flight', async (t) => {
  const { client, around } = await openClient({ connections: 2 });
  t.equal(client.counts.openConnections, 2);
  const [left, right] = around.sockets;
  const calls = [0, 1, 2, 3].map(() => client.infer('m', PAIR));
  const sent = [left!.takeRequests(), right!.takeRequests()];
  t.same(
    sent.map((requests) => requests.length),
    [2, 2],
  );
  left!.events.closed(1001, '');
  const lost = await Promise.allSettled(calls.filter((_, index) => index % 2 === 0));
  t.ok(lost.every(({ status }) => status === 'rejected'));
  const promise = client.infer('m', PAIR);
  for (const request of [...sent[1]!, ...right!.takeRequests()]) right!.arrive(echoFrame(request));
  t.ok(await promise, 'the other goes on');
  client.close();
  await Promise.allSettled(calls);
});

t.test('a later hello replaces the models, and the caller is told', async (t) => {
  const seen: string[][] = [];
  const states: string[] = [];
  const options = {
    onModels: (models: ReadonlyMap<string, unknown>) => seen.push([...models.keys()]),
    onState: (state: string) => states.push(state),
  };
  const { client, socket, around } = await openClient(options);
  socket.arrive(helloFrame({ models: [PAIRS, { ...PAIRS, name: 'n', number: 8 }] }));
  t.same(seen, [['m'], ['m', 'n']]);
  void outcome(client.infer('unheard-of', PAIR));
  t.match(only(socket), { modelNumber: 0, model: 'unheard-of' }, 'by its name; the server knows best');
  socket.events.closed(1006, '');
  around.pass(100);
  greet(around.last);
  client.close();
  t.same(states, ['open', 'reconnecting', 'open', 'closed']);
});

t.test('a request over the limit of the hello is not sent: it would end the connection', async (t) => {
  const { client, socket } = await openClient({}, { models: [PAIRS], maxMessageBytes: 600 });
  const promise = outcome(client.infer('m', { x: new Float32Array(200) }));
  t.match(await promise, { code: 'TOO_LARGE', message: /at most 600 bytes/, mayHaveRun: false });
  t.equal(socket.sent.length, 0);
  t.equal(client.counts.inFlight, 0);
  client.close();
});
