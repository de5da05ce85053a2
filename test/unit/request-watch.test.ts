/**
 * What is told about single requests: who gets a line, what stands in it, which headers and spans there are.
 */
import * as api from '@opentelemetry/api';
import t from 'tap';
import { Exemplars } from '../../src/metrics/exemplars.js';
import { RequestWatcher, type WatchSettings } from '../../src/metrics/request-watch.js';
import { parseTraceparent, Tracer } from '../../src/metrics/tracing.js';
import { watched } from '../../src/transport/watched.js';
import { STAGES } from '../../src/core/version-stats.js';
import { jsonReply } from '../../src/serving/replies.js';
import { bytesOf, puppetHead, PuppetResponder } from '../support/puppet-http.js';
import { versionEntry } from '../support/puppet-snapshot.js';

const OFF: WatchSettings = {
  accessLogPercent: 0,
  accessLogSlowMs: 0,
  accessLogErrors: false,
  requestIds: false,
  serverTiming: 'off',
};
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const SAMPLED = `00-${TRACE_ID}-${SPAN_ID}-01`;
const TIMES = Float32Array.from(STAGES, (_, at) => (at + 1) * 10);

function watcherWith(settings: Partial<WatchSettings>, tracer?: Tracer) {
  const lines: Array<Record<string, unknown>> = [];
  const log = { info: (fields: object) => lines.push(fields as Record<string, unknown>) };
  const exemplars = new Exemplars();
  return { watcher: new RequestWatcher({ ...OFF, ...settings }, log, tracer, exemplars), lines, exemplars };
}

/** One request that is answered with `status`, or whose client goes. */
function pass(watcher: RequestWatcher, headers: Record<string, string> = {}, status: number | 'abort' = 200) {
  const responder = new PuppetResponder();
  const version = versionEntry('m', '1', 7);
  const handle = watched(watcher.begin, (_head, inner) => ({
    chunk: () => {
      if (inner.watch !== undefined) {
        inner.watch.target = version;
        inner.watch.timesUs = TIMES;
      }
      if (status !== 'abort') inner.send({ ...jsonReply({}), status, headers: [['x', 'y']] });
    },
    aborted: () => undefined,
  }));
  const sink = handle(puppetHead(headers, 'POST', '/v2/models/m/infer'), responder);
  sink?.chunk(bytesOf('{}'), true);
  if (status === 'abort') sink?.aborted();
  return { headers: responder.sent?.headers ?? {}, sends: responder.sends, version };
}

t.test('where nothing is asked for, the door is not there', async (t) => {
  const { watcher } = watcherWith({});
  t.equal(watcher.begin, undefined);
  const handler = () => null;
  t.equal(watched(watcher.begin, handler), handler);
});

t.test('a share of requests gets a line, evenly and exactly', async (t) => {
  const { watcher, lines } = watcherWith({ accessLogPercent: 5 });
  for (let at = 0; at < 1000; at += 1) pass(watcher);
  t.equal(lines.length, 50);
  t.match(lines[0], {
    method: 'POST',
    path: '/v2/models/m/infer',
    status: 200,
    ms: Number,
    replyBytes: 2,
    model: 'm',
    version: '1',
    stagesUs: { receive: 10, run: 60, send: 80 },
  });
  const ids = new Set(lines.map(({ requestId }) => requestId));
  t.equal(ids.size, 50, 'an id in every line');
});

t.test('failed requests and lost clients get a line where asked for, others do not', async (t) => {
  const { watcher, lines } = watcherWith({ accessLogErrors: true });
  pass(watcher);
  pass(watcher, {}, 503);
  pass(watcher, {}, 'abort');
  t.same(
    lines.map(({ status }) => status),
    [503, 499],
  );
});

t.test('slow requests get a line, others do not', async (t) => {
  const { watcher, lines } = watcherWith({ accessLogSlowMs: 3_600_000 });
  pass(watcher);
  t.equal(lines.length, 0);
  const quick = watcherWith({ accessLogSlowMs: 1e-9 });
  pass(quick.watcher);
  t.match(quick.lines, [{ isSlow: true }]);
});

t.test('ids of clients are echoed where they are fit, and made where they are not', async (t) => {
  const { watcher } = watcherWith({ requestIds: true });
  t.same(pass(watcher, { 'x-request-id': 'abc-1' }).headers, { x: 'y', 'x-request-id': 'abc-1' });
  for (const bad of ['', 'a b', 'é', 'x'.repeat(129), 'a\r\nset-cookie: b'])
    t.match(pass(watcher, { 'x-request-id': bad }).headers['x-request-id'], /^[0-9a-f-]{36}$/, bad);
});

t.test('Server-Timing comes when asked for', async (t) => {
  const { watcher } = watcherWith({ serverTiming: 'asked' });
  t.notOk('server-timing' in pass(watcher).headers);
  const { headers } = pass(watcher, { 'sluice-timing': '1' });
  t.match(
    headers['server-timing'],
    /^receive;dur=0\.0100, decode;dur=0\.0200, queue;dur=0\.0300, batch_wait;dur=0\.0400, gather;dur=0\.0500, run;dur=0\.0600, encode;dur=0\.0700, send;dur=0\.0800, total;dur=\d+\.\d{4}$/,
  );
  t.ok('server-timing' in pass(watcherWith({ serverTiming: 'on' }).watcher).headers);
});

t.test('traceparent is read as W3C Trace Context tells', async (t) => {
  t.same(parseTraceparent(SAMPLED), { traceId: TRACE_ID, spanId: SPAN_ID, isSampled: true });
  t.equal(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-00`)?.isSampled, false);
  t.equal(
    parseTraceparent(`01-${TRACE_ID}-${SPAN_ID}-03-more`)?.isSampled,
    true,
    'later versions may have more',
  );
  const bad = [
    '',
    'x',
    `00-${TRACE_ID}-${SPAN_ID}`,
    `00-${TRACE_ID}-${SPAN_ID}-01-more`,
    `ff-${TRACE_ID}-${SPAN_ID}-01`,
    `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    SAMPLED.toUpperCase(),
  ];
  for (const text of bad) t.equal(parseTraceparent(text), undefined, text);
});

t.test('a sampled request becomes spans below its caller, and an exemplar', async (t) => {
  const spans: Array<{ name: string; parent: api.SpanContext | undefined; startMs: number; endMs: number }> =
    [];
  const provider: api.TracerProvider = {
    getTracer: () => ({
      startSpan: (name, options, context) => {
        const parent = context === undefined ? undefined : api.trace.getSpanContext(context);
        const span = { name, parent, startMs: Number(options?.startTime), endMs: NaN };
        spans.push(span);
        const own = { traceId: TRACE_ID, spanId: String(spans.length).padStart(16, '0'), traceFlags: 1 };
        return Object.assign(api.trace.wrapSpanContext(own), { end: (at: number) => (span.endMs = at) });
      },
      startActiveSpan: () => {
        throw new Error('not used');
      },
    }),
  };
  api.trace.setGlobalTracerProvider(provider);
  t.teardown(() => {
    api.trace.disable();
  });
  const { watcher, exemplars } = watcherWith({}, new Tracer(api));
  pass(watcher);
  pass(watcher, { traceparent: SAMPLED.replace(/01$/, '00') });
  t.equal(spans.length, 0, 'only those that the caller samples');
  const { version } = pass(watcher, { traceparent: SAMPLED });
  t.same(
    spans.map(({ name }) => name),
    ['infer m', ...STAGES],
  );
  t.match(spans[0]?.parent, { traceId: TRACE_ID, spanId: SPAN_ID, isRemote: true });
  t.match(spans[1]?.parent, { traceId: TRACE_ID, spanId: '1'.padStart(16, '0') });
  for (const [at, span] of spans.slice(1).entries()) {
    t.ok(Math.abs(span.endMs - span.startMs - (at + 1) / 100) < 0.001, `${span.name} takes its time`);
    if (at > 0) t.equal(span.startMs, spans[at]?.endMs, `${span.name} follows`);
  }
  const found = exemplars.of(version, 'http')?.filter((exemplar) => exemplar !== undefined) ?? [];
  t.match(found, [{ traceId: TRACE_ID, seconds: 280e-6 }], 'the stages up to the encoded reply');
});

t.test('a line tells the bytes of a reply, not its letters', async (t) => {
  const { watcher, lines } = watcherWith({ accessLogPercent: 100 });
  const responder = new PuppetResponder();
  const handle = watched(watcher.begin, (_head, inner) => {
    inner.send(jsonReply({ error: 'é' }));
    return null;
  });
  handle(puppetHead({}, 'GET', '/v2/models/é'), responder);
  t.equal(lines[0]?.['replyBytes'], Buffer.byteLength('{"error":"é"}'));
});
