/**
 * The rules of a WebSocket, without sockets and without models: a puppet engine says what each message is, a puppet socket
 * keeps what was sent, and the clock is a number.
 */
import t from 'tap';
import type { RequestHead } from '../../src/core/exchange.js';
import { FRAME_FLAGS, FRAME_KINDS } from '../../src/engine/frame-facts.js';
import { Exemplars } from '../../src/metrics/exemplars.js';
import { FrameTraces } from '../../src/metrics/frame-traces.js';
import type { TracedRequest, Tracer } from '../../src/metrics/tracing.js';
import { MESSAGE, request, setUp } from '../support/puppet-door.js';
import type { AnnouncedFrame } from '../support/puppet-engine.js';
import { puppetHead } from '../support/puppet-http.js';
import { modelEntry, snapshotOf, versionEntry } from '../support/puppet-snapshot.js';

t.test('the hello comes first, and a request goes to the default version', async (t) => {
  const { engine, open, say, answer } = setUp();
  const { socket, sink } = open();
  t.equal(socket.last.hello()?.maxInFlight(), 2);
  t.equal(socket.last.hello()?.models(0)?.number(), 1);
  t.equal(socket.last.hello()?.models(0)?.version(), '2');
  t.same(
    [...engine.numberedModels],
    [[socket.last.hello()?.models(0)?.name(), 1]],
    'its name may be used, too',
  );
  say(sink, request(7));
  t.equal(engine.submissions[0]?.handle, 12);
  answer(0, 7);
  t.equal(socket.writes.length, 1, 'nothing is written before the delivery is over');
  engine.endDelivery();
  t.equal(socket.last.request()?.id(), 7);
});

t.test('answers of one delivery leave in one write', async (t) => {
  const { engine, open, say, answer } = setUp();
  const first = open();
  const second = open();
  say(first.sink, request(1));
  say(second.sink, request(1));
  say(first.sink, request(2));
  for (const [index, id] of [1, 1, 2].entries()) answer(index, id);
  engine.endDelivery();
  t.equal(first.socket.writes.length, 2, 'the hello, and both answers');
  t.equal(first.socket.writes[1]?.length, 2);
  t.equal(second.socket.writes[1]?.length, 1);
});

t.test('a socket that cannot be written to ends, and keeps nothing from the others', async (t) => {
  const { engine, open, say, answer } = setUp();
  const [broken, sound] = [open(), open()];
  say(broken.sink, request(1));
  say(sound.sink, request(1));
  for (const index of [0, 1]) answer(index, 1);
  broken.socket.send = () => {
    throw new Error('no way out');
  };
  t.throws(() => {
    engine.endDelivery();
  }, /answers could not be sent/);
  t.equal(broken.socket.end?.code, 1011);
  say(sound.sink, request(2));
  answer(2, 2);
  engine.endDelivery();
  t.equal(sound.socket.last.request()?.id(), 2, 'the next delivery is like any other');
});

t.test('a model is named by number or by name, with a version or without', async (t) => {
  const { engine, open, say } = setUp({ inFlight: 10 });
  const { socket, sink } = open();
  const { HAS_MODEL, HAS_VERSION } = FRAME_FLAGS;
  say(sink, request(1, { number: 0, flags: HAS_MODEL, texts: ['m'] }));
  say(sink, request(2, { number: 0, flags: HAS_MODEL + HAS_VERSION, texts: ['m', '1'] }));
  say(sink, request(3, { number: 1, flags: HAS_VERSION, texts: ['', '1'] }));
  t.same(
    engine.submissions.map((submission) => submission.handle),
    [12, 11, 11],
  );
  const refused = (frame: AnnouncedFrame) => {
    say(sink, frame);
    return socket.last.error()?.name();
  };
  t.equal(refused(request(4, { number: 0 })), 'BAD_REQUEST');
  t.equal(refused(request(5, { number: 1, flags: HAS_MODEL, texts: ['m'] })), 'BAD_REQUEST');
  t.equal(refused(request(6, { number: 99 })), 'BAD_REQUEST');
  t.equal(refused(request(7, { number: 0, flags: HAS_MODEL, texts: ['x'] })), 'MODEL_NOT_FOUND');
  t.equal(refused(request(8, { flags: HAS_VERSION, texts: ['', '3'] })), 'VERSION_NOT_FOUND');
  t.equal(engine.openBodies.size, 0, 'what is refused is not kept');
});

t.test('what breaks the rules ends the socket with its code, and is counted', async (t) => {
  const breaches: [
    string,
    number,
    (sink: ReturnType<ReturnType<typeof setUp>['open']>['sink'], parts: ReturnType<typeof setUp>) => void,
  ][] = [
    ['TEXT_MESSAGE', 1003, (sink) => sink.message(MESSAGE, false)],
    ['BAD_FRAME', 1007, (sink, { say }) => say(sink, { facts: [], refusal: 'é'.repeat(200) })],
    ['NOT_ALLOWED', 1008, (sink, { say }) => say(sink, { facts: [FRAME_KINDS.OF_SERVER, 0, 0, 0, 0, 0] })],
    ['TOO_LARGE', 1009, (sink) => sink.message(new ArrayBuffer(100_001), true)],
  ];
  for (const [reason, code, breach] of breaches) {
    const parts = setUp();
    const { socket, sink } = parts.open();
    parts.say(sink, request(1));
    breach(sink, parts);
    t.equal(socket.end?.code, code, reason);
    t.ok(Buffer.byteLength(socket.end?.reason ?? '') <= 123, 'a reason fits a close frame');
    t.equal(parts.door.counts.ends[reason as 'BAD_FRAME'], 1);
    t.ok(parts.engine.submissions[0]?.isCancelled, 'its requests are cancelled');
    parts.say(sink, request(2));
    t.equal(parts.engine.submissions.length, 1, 'and it is not listened to any more');
    sink.closed(code);
    t.equal(parts.door.counts.ends.LOST + parts.door.counts.ends.CLIENT_LEFT, 0, 'counted once');
    parts.answer(0, 1);
    parts.engine.endDelivery();
    t.equal(parts.admission.inFlightRequests, 0);
  }
});

t.test('more requests than the credit, and an id again, are refused; the others go on', async (t) => {
  const { engine, open, say, answer } = setUp();
  const { socket, sink } = open();
  say(sink, request(1));
  say(sink, request(1));
  t.equal(socket.last.error()?.name(), 'DUPLICATE_ID');
  say(sink, request(2));
  say(sink, request(3));
  t.equal(socket.last.error()?.name(), 'TOO_MANY_IN_FLIGHT');
  t.equal(socket.last.error()?.id(), 3);
  t.equal(engine.submissions.length, 2);
  answer(0, 1);
  engine.endDelivery();
  say(sink, request(1));
  t.equal(engine.submissions.length, 3, 'credit and id are back with the answer');
});

t.test('a refusal of the engine is told with its code and words', async (t) => {
  const { engine, admission, open, say } = setUp();
  const { socket, sink } = open();
  engine.refusals.push({ code: 'SHAPE_MISMATCH', message: 'expected shape [1,4]' });
  say(sink, request(9));
  engine.endDelivery();
  t.equal(socket.last.error()?.id(), 9);
  t.equal(socket.last.error()?.code(), 3);
  t.equal(socket.last.error()?.message(), 'expected shape [1,4]');
  t.equal(admission.inFlightRequests, 0);
  say(sink, request(10));
  engine.fail(engine.submissions[0]!, 'QUEUE_FULL', 'full');
  engine.endDelivery();
  t.equal(socket.last.error()?.retryAfterMs(), 1000);
  engine.retryMs = 37;
  say(sink, request(11));
  engine.fail(engine.submissions[1]!, 'QUEUE_FULL', 'full');
  engine.endDelivery();
  t.equal(socket.last.error()?.retryAfterMs(), 37, 'what the engine predicts');
  engine.refusals.push({ code: 'QUEUE_FULL', message: 'full' });
  say(sink, request(12));
  engine.endDelivery();
  t.equal(socket.last.error()?.retryAfterMs(), 37);
});

t.test('a cancel reaches the request; one for nobody is nothing', async (t) => {
  const { engine, open, say } = setUp();
  const { sink } = open();
  say(sink, request(1));
  say(sink, { facts: [FRAME_KINDS.CANCEL, 2, 0, 0, 0, 0] });
  t.notOk(engine.submissions[0]?.isCancelled);
  say(sink, { facts: [FRAME_KINDS.CANCEL, 1, 0, 0, 0, 0] });
  t.ok(engine.submissions[0]?.isCancelled);
});

t.test('a client that leaves takes its requests with it', async (t) => {
  const { engine, admission, door, open, say, answer } = setUp();
  const { socket, sink } = open();
  say(sink, request(1));
  sink.closed(1006);
  t.ok(engine.submissions[0]?.isCancelled);
  t.equal(door.counts.ends.LOST, 1);
  t.equal(door.counts.open, 0);
  answer(0, 1);
  engine.endDelivery();
  t.equal(socket.writes.length, 1, 'nothing but the hello was written');
  t.same([admission.inFlightRequests, admission.inFlightBytes], [0, 0]);
});

t.test('a close frame without a code is a client that left; no close frame is a loss', async (t) => {
  const { door, open } = setUp();
  for (const code of [1000, 1001, 1005, 1006]) open().sink.closed(code);
  t.match(door.counts.ends, { CLIENT_LEFT: 3, LOST: 1 });
});

t.test('a slow reader gets nothing new done, then is closed; nothing is left out before', async (t) => {
  const { engine, door, open, say, answer } = setUp();
  const { socket, sink } = open();
  say(sink, request(1));
  socket.unreadBytes = 600;
  answer(0, 1);
  engine.endDelivery();
  say(sink, request(2));
  t.equal(socket.last.error()?.name(), 'TOO_MANY_IN_FLIGHT');
  socket.unreadBytes = 100;
  sink.drained();
  say(sink, request(3));
  t.equal(engine.submissions.length, 2);
  socket.unreadBytes = 1001;
  answer(1, 3);
  engine.endDelivery();
  t.equal(socket.last.request()?.id(), 3);
  t.equal(socket.end?.code, 1013);
  t.equal(door.counts.ends.SLOW_READER, 1);
});

t.test('an ended socket that does not close is cut off', async (t) => {
  const { clock, door, open } = setUp();
  const { socket, sink } = open();
  sink.message(MESSAGE, false);
  door.look();
  clock.nowMs = 1999;
  door.look();
  t.notOk(socket.isTerminated);
  clock.nowMs = 2000;
  door.look();
  t.ok(socket.isTerminated);
});

t.test('a stop: goodbye, refusals, the last answer, 1001', async (t) => {
  const { engine, admission, clock, door, open, say, answer } = setUp();
  const busy = open();
  const idle = open();
  const stuck = open();
  say(busy.sink, request(1));
  say(stuck.sink, request(1));
  void admission.drain(60_000);
  door.drain(5000);
  t.equal(idle.socket.last.goodbye()?.reason(), 1);
  t.equal(idle.socket.end?.code, 1001);
  t.equal(busy.socket.end, undefined);
  say(busy.sink, request(2));
  t.equal(busy.socket.last.error()?.name(), 'DRAINING');
  answer(0, 1);
  engine.endDelivery();
  t.equal(busy.socket.writes.at(-1)?.at(-1)?.request()?.id(), 1);
  t.equal(busy.socket.end?.code, 1001);
  clock.nowMs = 5000;
  door.look();
  t.equal(stuck.socket.end?.code, 1001, 'the time is over');
  const answerToUpgrade = door.admit(puppetHead({}, 'GET'));
  t.match(answerToUpgrade, { refusal: { status: 503 } });
  answer(1, 1);
});

t.test('an old socket is asked to open another', async (t) => {
  const { clock, door, open } = setUp();
  const { socket } = open();
  clock.nowMs = 59_999;
  door.look();
  t.equal(socket.end, undefined);
  clock.nowMs = 60_000;
  door.look();
  t.equal(socket.last.goodbye()?.reason(), 2);
  t.equal(socket.end?.code, 1001);
});

t.test(
  'a message that does not become whole ends the socket; control frames are a sign of life',
  async (t) => {
    const { clock, door, open, say } = setUp({ idleSeconds: 10, lifetimeMs: Infinity });
    const [mute, pinged, busy] = [open(), open(), open()];
    const look = (nowMs: number): void => {
      clock.nowMs = nowMs;
      door.look();
    };
    look(15_000);
    pinged.sink.heard();
    say(busy.sink, request(1));
    look(15_001);
    look(19_999);
    t.equal(mute.socket.end, undefined);
    look(20_000);
    t.equal(mute.socket.end?.code, 1008);
    t.match(mute.socket.end?.reason, /whole message within 20 s/);
    look(35_000);
    t.equal(pinged.socket.end, undefined);
    t.equal(busy.socket.end, undefined);
    busy.sink.drained();
    look(35_001);
    t.equal(pinged.socket.end?.code, 1008);
    look(55_000);
    t.equal(busy.socket.end, undefined, 'it has taken answers');
    look(55_001);
    t.equal(busy.socket.end?.code, 1008);
  },
);

t.test('a request that its caller samples is traced to its end, and no other', async (t) => {
  const { engine, door, open, say, answer } = setUp();
  const written: TracedRequest[] = [];
  const tracer = { write: (traced: TracedRequest) => written.push(traced) } as unknown as Tracer;
  const exemplars = new Exemplars();
  const parent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
  const traced = (id: number, number = 1, text = parent): AnnouncedFrame =>
    request(id, { number, flags: FRAME_FLAGS.HAS_TRACEPARENT, texts: ['', '', '', text] });
  const first = open();
  say(first.sink, traced(1));
  answer(0, 1);
  t.equal(written.length, 0, 'tracing is off');

  door.traces = new FrameTraces(tracer, exemplars, '/v2/ws');
  say(first.sink, traced(2));
  say(first.sink, request(3));
  t.equal(written.length, 0, 'not before the answer');
  answer(1, 2);
  answer(2, 3);
  t.equal(written.length, 1, 'the one that is sampled');
  const [answered] = written.splice(0);
  t.match(answered, { trace: { traceId: '1'.repeat(32) }, isServerFault: false });
  t.equal(answered?.target?.version, '2');
  t.same(answered?.attributes, { 'network.protocol.name': 'websocket', 'url.path': '/v2/ws' });
  const noted = exemplars.of(answered!.target!, 'ws') ?? [];
  t.same(
    noted.filter((exemplar) => exemplar !== undefined).map(({ traceId }) => traceId),
    ['1'.repeat(32)],
  );

  say(first.sink, traced(4, 1, parent.replace(/01$/, '00')));
  say(first.sink, traced(5, 1, 'nonsense'));
  answer(3, 4);
  answer(4, 5);
  t.equal(written.length, 0, 'neither unsampled nor nonsense');

  say(first.sink, traced(6, 99));
  t.match(written.splice(0), [{ target: undefined, attributes: { 'error.type': 'BAD_REQUEST' } }]);
  engine.refusals.push({ code: 'QUEUE_FULL', message: 'no room' });
  say(first.sink, traced(7));
  engine.endDelivery();
  t.match(written.splice(0), [
    { target: { version: '2' }, isServerFault: true, attributes: { 'error.type': 'QUEUE_FULL' } },
  ]);
  say(first.sink, traced(8));
  first.sink.closed(1006);
  engine.fail(engine.submissions.at(-1)!, 'CANCELLED', 'gone');
  t.match(written.splice(0), [{ isServerFault: false, attributes: { 'error.type': 'CANCELLED' } }]);
  const second = open();
  say(second.sink, request(1));
  answer(engine.submissions.length - 1, 1);
  t.equal(written.length, 0, 'a request object that comes again is not traced again');
});

t.test('new models are told, under numbers that stay', async (t) => {
  const { models, door, open } = setUp();
  const { socket } = open();
  door.look();
  t.equal(socket.writes.length, 1, 'nothing new, nothing told');
  models.snapshot = snapshotOf(
    modelEntry('a', [versionEntry('a', '1', 20)]),
    modelEntry('m', [versionEntry('m', '1', 11), versionEntry('m', '2', 12)]),
  );
  door.look();
  const hello = socket.last.hello()!;
  const numbers = new Map(
    [0, 1].map((index) => [hello.models(index)?.name(), hello.models(index)?.number()]),
  );
  t.same([numbers.get('m'), numbers.get('a')], [1, 2]);
});

t.test('new models are told to those who are there, also where a newcomer hears of them first', async (t) => {
  const { models, door, open } = setUp();
  const { socket } = open();
  models.snapshot = snapshotOf(modelEntry('a', [versionEntry('a', '1', 20)]));
  const newcomer = open();
  door.look();
  t.equal(newcomer.socket.writes.length, 1, 'what was told at the opening is not told again');
  t.equal(socket.last.hello()?.models(0)?.name(), 'a');
});

t.test(
  'a key that is good for some models hears of no others, and ends the socket when it is revoked',
  async (t) => {
    const { models, door, open, say } = setUp();
    models.snapshot = snapshotOf(
      modelEntry('m', [versionEntry('m', '1', 11)]),
      modelEntry('other', [versionEntry('other', '1', 20)]),
    );
    const caller = { isRevoked: false, may: (_scope: 'infer', name: string) => name === 'other' };
    const { socket, sink } = open(caller);
    t.equal(socket.last.hello()?.modelsLength(), 1);
    t.equal(socket.last.hello()?.models(0)?.number(), 2);
    say(sink, request(1));
    t.equal(socket.last.error()?.name(), 'FORBIDDEN');
    t.notMatch(socket.last.error()?.message(), '"m"', 'a number that was guessed tells no name');
    caller.isRevoked = true;
    door.look();
    t.equal(socket.end?.code, 1008);
  },
);

t.test('who may open a socket', async (t) => {
  const { door, open } = setUp();
  const admits = (headers: Record<string, string>): boolean => {
    const head: RequestHead = puppetHead(headers, 'GET');
    return 'caller' in door.admit(head);
  };
  const host = 'localhost:8000';
  t.ok(admits({ host }), 'no page at all');
  t.ok(admits({ host, origin: 'http://localhost:8000' }), 'a page of this server');
  t.ok(admits({ host, origin: 'HTTPS://App.Example' }));
  for (const origin of [
    'null',
    'https://app.example.evil.org',
    'https://evil.org/https://app.example',
    'http://app.example',
    'https://app.example:444',
    'http://localhost:8001',
    'http://localhost:8000.evil.org',
  ])
    t.notOk(admits({ host, origin }), origin);
  t.notOk(admits({ origin: 'http://' }), 'no host to be the same as');
  const rebound = { host: 'evil.example:8000', origin: 'http://evil.example:8000' };
  t.notOk(admits(rebound), 'a page that points a name of its own at this machine');
  t.equal(door.counts.refused, 9);
  for (let count = 0; count < 3; count += 1) open();
  t.notOk(admits({ host }), 'as many as there may be');
});

t.test('a sampled frame carries its shadow, and the next one does not', (t) => {
  const { engine, shadowOf, open, say } = setUp();
  const { sink } = open();
  shadowOf.set(12, 7);
  say(sink, request(1));
  t.equal(engine.nextShadow, 7);
  engine.nextShadow = 0;
  shadowOf.clear();
  say(sink, request(2));
  t.equal(engine.nextShadow, 0);
  t.end();
});
