/**
 * The spine of an infer request against an engine and a responder that move only when told.
 */
import t from 'tap';
import type { BodySink } from '../../src/core/exchange.js';
import type { Snapshot } from '../../src/core/snapshot.js';
import { Admission, type AdmissionLimits } from '../../src/serving/admission.js';
import { INT32_MAX, parseDecimal } from '../../src/serving/decimal.js';
import { Infer, InferRoute } from '../../src/serving/infer.js';
import { MAX_CHUNKS } from '../../src/serving/infer-exchange.js';
import { DROP_LIMIT_BYTES } from '../../src/serving/replies.js';
import { PuppetEngine } from '../support/puppet-engine.js';
import { bytesOf, puppetHead, PuppetResponder } from '../support/puppet-http.js';
import { modelEntry, routingOf, snapshotOf, tableOf, versionEntry } from '../support/puppet-snapshot.js';

const LIMITS: AdmissionLimits = { jsonBodyBytes: 100, binaryBodyBytes: 1000, inFlightBytes: 5000 };

function setUp(limits: AdmissionLimits = LIMITS) {
  const engine = new PuppetEngine();
  const models: { snapshot: Snapshot } = {
    snapshot: snapshotOf(
      modelEntry('m', [versionEntry('m', '1', 11), versionEntry('m', '2', 12)]),
      modelEntry('loading', [versionEntry('loading', '1', 13, 'LOADING')]),
    ),
  };
  const admission = new Admission(limits);
  const infer = new Infer(engine, routingOf(models), admission);
  const begin = (
    headers: Record<string, string> = {},
    model = 'm',
    version?: string,
  ): { responder: PuppetResponder; sink: BodySink | null } => {
    const responder = new PuppetResponder();
    return { responder, sink: infer.begin(new InferRoute(model, version), puppetHead(headers), responder) };
  };
  return { engine, models, admission, infer, begin };
}

/** The sink of a request that must have been let in. */
function sinkOf(begun: { sink: BodySink | null }): BodySink {
  if (begun.sink === null) throw new Error('expected a sink for the body, got an answer at once');
  return begun.sink;
}

t.test('a body in one chunk goes straight to the engine, and its answer to the client', async (t) => {
  const { engine, admission, begin } = setUp();
  const begun = begin({ 'content-length': '4' });
  t.equal(admission.inFlightBytes, 4);
  sinkOf(begun).chunk(bytesOf('abcd'), true);
  const [submission] = engine.submissions;
  t.match(
    submission,
    { handle: 12, headLength: -1, body: Buffer.from('abcd') },
    'the highest version that is ready',
  );
  t.equal(engine.openBodies.size, 0);
  t.equal(engine.expectedBytes.length, 0, 'no body was collected');
  t.equal(begun.responder.sent, undefined, 'nothing is sent before the answer');
  engine.answer(submission!, Buffer.from('{"outputs":[]}'));
  t.match(begun.responder.sent, {
    status: 200,
    contentType: 'application/json',
    headLength: 0,
    body: '{"outputs":[]}',
  });
  t.match(
    { requests: admission.inFlightRequests, bytes: admission.inFlightBytes },
    { requests: 0, bytes: 0 },
  );
});

t.test('an answer with binary tensors says how long its JSON is', async (t) => {
  const { engine, begin } = setUp();
  const { responder, sink } = begin({ 'inference-header-content-length': '2' }, 'm', '1');
  sink!.chunk(bytesOf('{}x'), true);
  t.match(engine.submissions[0], { handle: 11, headLength: 2 });
  engine.answer(engine.submissions[0]!, Buffer.from('{}\x00\xff', 'latin1'), 2);
  t.match(responder.sent, {
    status: 200,
    contentType: 'application/octet-stream',
    headLength: 2,
    body: '{}\x00\xff',
  });
});

t.test('a body in many chunks is collected in order', async (t) => {
  const { engine, begin } = setUp();
  const { sink } = begin({ 'content-length': '6' });
  for (const part of ['a', 'bc', '', 'def']) sink!.chunk(bytesOf(part), part === 'def');
  t.equal(engine.submissions[0]?.body.toString(), 'abcdef');
  t.same(engine.expectedBytes, [6]);
  t.equal(engine.openBodies.size, 0, 'the body belongs to the engine now');

  const chunked = begin();
  chunked.sink!.chunk(bytesOf('xy'), false);
  chunked.sink!.chunk(bytesOf(''), true);
  t.equal(engine.submissions[1]?.body.toString(), 'xy');
  t.same(engine.expectedBytes, [6, 0], '0 where the client did not say');
});

t.test('what the engine refuses or fails is told with its own status and message', async (t) => {
  const { engine, admission, begin } = setUp();
  engine.refusals.push({ code: 'SHAPE_MISMATCH', message: 'expected [1,4] for "x", got [1,5]' });
  const refused = begin();
  refused.sink!.chunk(bytesOf('a'), true);
  t.match(refused.responder.sent, {
    status: 400,
    body: JSON.stringify({ error: 'expected [1,4] for "x", got [1,5]' }),
  });
  t.equal(admission.inFlightRequests, 0);

  for (const [code, status] of [
    ['RUN_FAILED', 500],
    ['QUEUE_FULL', 503],
    ['DEADLINE_PASSED', 504],
    ['TOO_LARGE', 413],
  ] as const) {
    const failed = begin();
    failed.sink!.chunk(bytesOf('a'), true);
    engine.fail(engine.submissions.at(-1)!, code, 'a "quoted" reason');
    t.match(failed.responder.sent, {
      status,
      contentType: 'application/json',
      body: '{"error":"a \\"quoted\\" reason"}',
    });
  }
  t.equal(admission.inFlightRequests, 0);
});

t.test('a client that goes away', async (t) => {
  t.test('before its body: nothing is left', async (t) => {
    const { engine, admission, begin } = setUp();
    sinkOf(begin({ 'content-length': '9' })).aborted();
    t.match({ ...admission }, { inFlightRequests: 0, inFlightBytes: 0 });
    t.equal(engine.submissions.length, 0);
  });
  t.test('in the middle of its body: the collected part is dropped', async (t) => {
    const { engine, admission, begin } = setUp();
    const { sink } = begin();
    sink!.chunk(bytesOf('abc'), false);
    t.equal(engine.openBodies.size, 1);
    sink!.aborted();
    t.equal(engine.openBodies.size, 0);
    t.match({ ...admission }, { inFlightRequests: 0, inFlightBytes: 0 });
  });
  t.test('while it waits: cancelled, counted until the engine lets go, never answered', async (t) => {
    const { engine, admission, begin } = setUp();
    const { sink, responder } = begin();
    sink!.chunk(bytesOf('abc'), true);
    responder.close();
    sink!.aborted();
    t.equal(engine.submissions[0]?.isCancelled, true);
    t.equal(admission.inFlightRequests, 1, 'the engine still holds it');
    engine.answer(engine.submissions[0]!);
    t.equal(responder.sends, 0);
    t.equal(admission.inFlightRequests, 0);
  });
  t.test('after its answer: too late to matter', async (t) => {
    const { engine, admission, begin } = setUp();
    const { sink } = begin();
    sink!.chunk(bytesOf('abc'), true);
    engine.answer(engine.submissions[0]!);
    sink!.aborted();
    t.equal(engine.submissions[0]?.isCancelled, false);
    t.equal(admission.inFlightRequests, 0);
  });
  t.test('while a body over the limit is dropped: leaves once', async (t) => {
    const { admission, begin } = setUp();
    const { sink } = begin();
    sink!.chunk(new ArrayBuffer(101), false);
    sink!.aborted();
    sink!.aborted();
    t.match({ ...admission }, { inFlightRequests: 0, inFlightBytes: 0 });
  });
});

t.test('a second delivery is impossible', async (t) => {
  const { engine, admission, begin } = setUp();
  const { sink, responder } = begin();
  sink!.chunk(bytesOf('abc'), true);
  const submission = engine.submissions[0]!;
  engine.answer(submission);
  engine.answer(submission);
  engine.fail(submission, 'RUN_FAILED', 'late');
  sink!.chunk(bytesOf('late'), true);
  t.equal(responder.sends, 1);
  t.equal(engine.submissions.length, 1);
  t.equal(admission.inFlightRequests, 0, 'left once');
});

t.test('limits', async (t) => {
  t.test('Content-Length over the limit is answered before any byte', async (t) => {
    const { admission, begin } = setUp();
    const json = begin({ 'content-length': '101' });
    t.equal(json.sink, null);
    t.match(json.responder.sent, { status: 413, closesConnection: false });
    t.equal(
      begin({ 'content-length': '1001', 'inference-header-content-length': '5' }).responder.sent?.status,
      413,
    );
    t.equal(
      begin({ 'content-length': '1000', 'inference-header-content-length': '101' }).responder.sent?.status,
      413,
    );
    t.match(
      begin({ 'content-length': String(DROP_LIMIT_BYTES + 1) }).responder.sent,
      { status: 413, closesConnection: true },
      'a rest that is not worth reading',
    );
    t.equal(admission.inFlightRequests, 0);
    t.not(begin({ 'content-length': '100' }).sink, null, 'the limit itself is fine');
    t.not(begin({ 'content-length': '1000', 'inference-header-content-length': '100' }).sink, null);
  });
  t.test('a chunked body over the limit is dropped, and answered at its end', async (t) => {
    const { engine, admission, begin } = setUp();
    const { sink, responder } = begin();
    sink!.chunk(new ArrayBuffer(60), false);
    sink!.chunk(new ArrayBuffer(41), false);
    t.equal(engine.openBodies.size, 0, 'the memory is given back at once');
    t.equal(responder.sent, undefined);
    sink!.chunk(new ArrayBuffer(41), true);
    t.match(responder.sent, { status: 413, closesConnection: false });
    t.equal(engine.submissions.length, 0);
    t.match({ ...admission }, { inFlightRequests: 0, inFlightBytes: 0 });
  });
  t.test('a body over the limit that has no end closes the connection', async (t) => {
    const { admission, begin } = setUp();
    const { sink, responder } = begin();
    const chunk = new ArrayBuffer(DROP_LIMIT_BYTES / 4);
    for (let index = 0; index < 5; index += 1) sink!.chunk(chunk, false);
    t.match(responder.sent, { status: 413, closesConnection: true });
    t.equal(responder.sends, 1);
    t.equal(admission.inFlightRequests, 0);
  });
  t.test('one chunk over the limit', async (t) => {
    const { begin, admission } = setUp();
    const { sink, responder } = begin();
    sink!.chunk(new ArrayBuffer(101), true);
    t.equal(responder.sent?.status, 413);
    t.equal(admission.inFlightRequests, 0);
  });
  t.test('too many chunks', async (t) => {
    const { engine, begin } = setUp({ ...LIMITS, jsonBodyBytes: 1e6, inFlightBytes: 1e9 });
    const good = begin();
    for (let index = 0; index < MAX_CHUNKS; index += 1) good.sink!.chunk(new ArrayBuffer(1), false);
    good.sink!.chunk(new ArrayBuffer(0), true);
    t.equal(engine.submissions[0]?.body.byteLength, MAX_CHUNKS);
    const bad = begin();
    for (let index = 0; index < MAX_CHUNKS; index += 1) bad.sink!.chunk(new ArrayBuffer(1), false);
    bad.sink!.chunk(new ArrayBuffer(1), true);
    t.equal(bad.responder.sent?.status, 400);
  });
  t.test('bytes of all requests together', async (t) => {
    const { admission, begin } = setUp({ jsonBodyBytes: 100, binaryBodyBytes: 100, inFlightBytes: 150 });
    const first = begin({ 'content-length': '100' });
    const second = begin({ 'content-length': '51' });
    second.sink!.chunk(new ArrayBuffer(51), true);
    t.match(second.responder.sent, { status: 503, headers: { 'retry-after': '1' } });
    const third = begin();
    third.sink!.chunk(new ArrayBuffer(50), false);
    t.equal(admission.inFlightBytes, 150);
    third.sink!.chunk(new ArrayBuffer(1), true);
    t.equal(third.responder.sent?.status, 503, 'a chunked body is counted as it comes');
    t.equal(admission.inFlightBytes, 100);
    first.sink!.aborted();
    t.equal(admission.inFlightBytes, 0);
  });
});

t.test('refusals by the head wait for the end of the body', async (t) => {
  const { models, begin } = setUp();
  for (const [why, headers, model, version, status] of [
    ['unknown model', {}, 'nobody', undefined, 404],
    ['unknown version', {}, 'm', '3', 404],
    ['not ready', {}, 'loading', undefined, 503],
    ['not ready version', {}, 'loading', '1', 503],
    ['constructor', {}, 'constructor', undefined, 404],
    ['__proto__', {}, '__proto__', undefined, 404],
    ['gzip', { 'content-encoding': 'gzip' }, 'm', undefined, 415],
    ['bad Content-Length', { 'content-length': '1e3' }, 'm', undefined, 400],
    [
      'JSON longer than the body',
      { 'content-length': '9', 'inference-header-content-length': '10' },
      'm',
      undefined,
      400,
    ],
  ] as const) {
    const { sink, responder } = begin(headers, model, version);
    sink!.chunk(bytesOf('{'), false);
    t.equal(responder.sent, undefined, why);
    sink!.chunk(bytesOf('}'), true);
    t.equal(responder.sent?.status, status, why);
    t.match(Object.keys(JSON.parse(responder.sent!.body)), ['error'], why);
  }
  const gzip = begin({ 'content-encoding': 'gzip' });
  gzip.sink!.chunk(bytesOf(''), true);
  t.equal(gzip.responder.sent?.headers['accept-encoding'], 'identity');
  t.not(begin({ 'content-encoding': 'identity' }).responder.isClosed, true);

  const route = new InferRoute('m', undefined);
  const head = puppetHead();
  t.equal(route.targetIn(tableOf(models.snapshot), head)?.version.handle, 12);
  const other = tableOf(snapshotOf(modelEntry('m', [versionEntry('m', '7', 70)])));
  t.equal(route.targetIn(other, head)?.version.handle, 70, 'a new table');
  t.equal(route.targetIn(tableOf(snapshotOf()), head), undefined);
});

t.test('what would be refused anyway is refused before its body', async (t) => {
  const { engine, admission, begin } = setUp();
  const small = { 'content-length': '4', 'sluice-deadline-ms': '70' };
  sinkOf(begin(small)).chunk(bytesOf('abcd'), true);
  t.equal(engine.asked.length, 0, 'nobody is asked while nobody was refused');

  engine.isCrowded = true;
  engine.retryMs = 2001;
  engine.unreadRefusals.push({ code: 'QUEUE_FULL', message: 'later' });
  const { sink, responder } = begin(small);
  t.equal(sink, null);
  t.same(engine.asked, [{ handle: 12, timeoutMs: 70 }]);
  t.match(responder.sent, { status: 503, body: '{"error":"later"}', headers: { 'retry-after': '3' } });
  t.equal(admission.inFlightRequests, 1, 'the first one');

  sinkOf(begin(small)).chunk(bytesOf('abcd'), true);
  t.equal(engine.submissions.length, 2, 'let in after all');
  const large: Record<string, string> = { 'content-length': '70000', 'inference-header-content-length': '4' };
  for (const headers of [{}, large]) {
    const { begin: beginLarge, engine: other } = setUp({
      ...LIMITS,
      binaryBodyBytes: 100_000,
      inFlightBytes: 1e9,
    });
    other.isCrowded = true;
    other.unreadRefusals.push({ code: 'QUEUE_FULL', message: 'later' });
    sinkOf(beginLarge(headers));
    t.equal(other.asked.length, 0, 'a client that is still writing is heard to the end');
  }
});

t.test('Retry-After is the wait that the engine predicts, in whole seconds and at least one', async (t) => {
  for (const [retryMs, seconds] of [
    [0, '1'],
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [59_500, '60'],
  ] as const) {
    const { engine, begin } = setUp();
    engine.retryMs = retryMs;
    const refused = begin();
    engine.refusals.push({ code: 'QUEUE_FULL', message: 'at submit' });
    refused.sink!.chunk(bytesOf('{}'), true);
    const dropped = begin();
    dropped.sink!.chunk(bytesOf('{}'), true);
    engine.fail(engine.submissions[0]!, 'QUEUE_FULL', 'at dispatch');
    for (const { responder } of [refused, dropped])
      t.match(responder.sent, { status: 503, headers: { 'retry-after': seconds } }, `${retryMs} ms`);
    const failed = begin();
    failed.sink!.chunk(bytesOf('{}'), true);
    engine.fail(engine.submissions[1]!, 'RUN_FAILED', 'not of the kind that waiting mends');
    t.notOk('retry-after' in failed.responder.sent!.headers);
  }
});

t.test('Inference-Header-Content-Length is strictly decimal', async (t) => {
  const { engine, begin } = setUp();
  for (const text of [
    '-1',
    '+1',
    '0x10',
    '1e1',
    '1.0',
    ' 1',
    '1 ',
    '1,1',
    'NaN',
    '2147483648',
    '99999999999999999999',
    '١',
  ]) {
    const { sink, responder } = begin({ 'inference-header-content-length': text });
    sink!.chunk(bytesOf('{}'), true);
    t.equal(responder.sent?.status, 400, JSON.stringify(text));
  }
  t.equal(engine.submissions.length, 0);
  for (const [text, value] of [
    ['0', 0],
    ['007', 7],
    ['100', 100],
  ] as const) {
    begin({ 'inference-header-content-length': text }).sink!.chunk(bytesOf('{}'), true);
    t.equal(engine.submissions.at(-1)?.headLength, value);
  }
  t.equal(parseDecimal('2147483647', INT32_MAX), INT32_MAX);
  t.equal(parseDecimal('2147483648', INT32_MAX), -1);
  t.equal(parseDecimal('', INT32_MAX), -1);
});

t.test('Sluice-Deadline-Ms reaches the engine; what is no number of milliseconds is refused', async (t) => {
  const { engine, begin } = setUp();
  begin({ 'content-length': '2', 'sluice-deadline-ms': '250' }).sink!.chunk(bytesOf('{}'), true);
  begin({ 'content-length': '2' }).sink!.chunk(bytesOf('{}'), true);
  t.match(engine.submissions[0], { timeoutMs: 250, priority: 0 });
  t.match(engine.submissions[1], { timeoutMs: 0, priority: 0 });
  for (const text of ['0', '-5', '1.5', '1e3', 'soon', '99999999999']) {
    const { sink, responder } = begin({ 'content-length': '2', 'sluice-deadline-ms': text });
    sink!.chunk(bytesOf('{}'), true);
    t.equal(responder.sent?.status, 400, text);
    t.match(responder.sent?.body, /Sluice-Deadline-Ms/);
  }
  t.equal(engine.submissions.length, 2);
});

t.test('the time that a body in parts took is no longer left', async (t) => {
  const { engine, begin } = setUp();
  const { sink } = begin({ 'content-length': '2', 'sluice-deadline-ms': '1' });
  sink!.chunk(bytesOf('{'), false);
  const begunMs = performance.now();
  while (performance.now() - begunMs < 2) continue;
  sink!.chunk(bytesOf('}'), true);
  const { timeoutMs } = engine.submissions[0]!;
  t.ok(timeoutMs > 0 && timeoutMs < 0.01, `a passed deadline is not "none": ${timeoutMs}`);
});

t.test('drain refuses new requests and waits for those inside', async (t) => {
  const { engine, admission, begin } = setUp();
  const inside = begin();
  inside.sink!.chunk(bytesOf('a'), true);
  const receiving = begin();
  const drained = admission.drain(60_000);
  const late = begin();
  late.sink!.chunk(bytesOf('a'), true);
  t.match(late.responder.sent, { status: 503, headers: { 'retry-after': '1' } });
  receiving.sink!.chunk(bytesOf('b'), true);
  t.equal(engine.submissions.length, 2, 'a request that was let in may finish its body');
  engine.answer(engine.submissions[0]!);
  engine.answer(engine.submissions[1]!);
  t.equal(await drained, true);
  t.equal(inside.responder.sent?.status, 200);

  const stuck = setUp();
  stuck.begin();
  t.equal(await stuck.admission.drain(1), false, 'the limit passes first');
  t.equal(await setUp().admission.drain(1), true, 'nobody inside');
});
