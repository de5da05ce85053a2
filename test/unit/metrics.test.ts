/**
 * What the statistics say, in every form in which they are shown, beside counts made by hand. The text is read by a parser
 * made from the formats' specifications.
 */
import t from 'tap';
import { ERRORS } from '../../src/core/errors.js';
import {
  BUCKETS,
  bucketUpperNs,
  quantileUs,
  STAGES,
  type DurationCounts,
  type ProtocolStats,
  type VersionStats,
} from '../../src/core/version-stats.js';
import type { MetricSource } from '../../src/metrics/family.js';
import { formatFor, Metrics } from '../../src/metrics/metrics.js';
import { Statistics } from '../../src/serving/statistics.js';
import { readExposition } from '../support/exposition.js';
import { modelEntry, routingOf, snapshotOf, versionEntry } from '../support/puppet-snapshot.js';
import { emptyStats } from '../support/version-stats.js';

const US = 1000;

function durations(...ns: number[]): DurationCounts {
  const counts = new Float64Array(BUCKETS);
  for (const value of ns) {
    const upper = Array.from({ length: BUCKETS }, (_, bucket) => bucketUpperNs(bucket));
    const at = upper.findIndex((bound) => bound < 0 || value <= bound);
    counts[at]! += 1;
  }
  return { counts, sumNs: ns.reduce((sum, value) => sum + BigInt(value), 0n) };
}

function http(filled: Partial<ProtocolStats> = {}): ProtocolStats {
  return {
    protocol: 'http',
    stages: STAGES.map((_, at) => durations((at + 1) * 10 * US, (at + 1) * 20 * US)),
    ok: durations(300 * US, 700 * US),
    failed: durations(50 * US),
    outcomes: Float64Array.of(2, 1, 3, 4, 5),
    requestBytes: 512,
    replyBytes: 256,
    ...filled,
  };
}

function filledStats(): VersionStats {
  const errors = new Float64Array(32);
  errors[ERRORS.RUN_FAILED.number] = 1;
  errors[ERRORS.CANCELLED.number] = 3;
  errors[ERRORS.DEADLINE_PASSED.number] = 4;
  errors[ERRORS.BAD_REQUEST.number] = 5;
  return emptyStats({
    protocols: [http(), http({ protocol: 'ws', outcomes: Float64Array.of(1, 0, 0, 0, 0), ok: durations(9) })],
    errors,
    releases: Float64Array.of(1, 2, 3, 4, 5),
    batchSizes: [
      { rows: 3, runs: 2, gatherNs: 1n, runNs: 2n, encodeNs: 3n },
      { rows: 2000, runs: 1, gatherNs: 4n, runNs: 9007199254740993n, encodeNs: 6n },
    ],
    okRows: 2006,
    failedRuns: 1,
    waiting: 7,
    inFlight: 9,
    lastOkMs: 1700000000123,
  });
}

function metricsOf(stats: VersionStats | undefined, sources: MetricSource[] = [], tritonMetrics = false) {
  const models = { snapshot: snapshotOf(modelEntry('m', [versionEntry('m', '1', 1)])) };
  const metrics = new Metrics({
    models,
    statsOf: () => stats,
    statsMarkOf: () => undefined,
    tritonMetrics,
    sources,
  });
  const read = async (accept = '') => {
    const { contentType, body } = await metrics.scrape(accept);
    const text = Buffer.concat(body).toString();
    return readExposition(text, contentType.startsWith('text/plain') ? 'prometheus' : 'openmetrics');
  };
  const value = async (name: string, labels: Record<string, string> = {}) => {
    const wanted = { model: 'm', version: '1', ...labels };
    const samples = [...(await read()).values()].flatMap((family) => family.samples);
    const found = samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(wanted).every(([label, text]) => sample.labels[label] === text) &&
        Object.keys(sample.labels).length === Object.keys(wanted).length,
    );
    return found.length === 1 ? found[0]?.value : found.length;
  };
  return { metrics, models, read, value };
}

t.test(
  'a quantile lies within an eighth of the truth, and is nothing where nothing was counted',
  async (t) => {
    const values = Array.from({ length: 10_000 }, (_, at) => Math.round(1000 * 1.0015 ** at));
    const counted = durations(...values);
    for (const quantile of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
      const truthUs = (values[Math.ceil(quantile * values.length) - 1] ?? NaN) / 1e3;
      const got = quantileUs(counted, quantile);
      t.ok(Math.abs(got / truthUs - 1) <= 0.125, `${quantile}: ${got} beside ${truthUs}`);
    }
    t.ok(Number.isNaN(quantileUs(durations(), 0.5)));
  },
);

t.test('every count of a version is shown once, under base units', async (t) => {
  const { value } = metricsOf(filledStats());
  const http = { protocol: 'http' };
  t.equal(await value('sluice_requests_total', { ...http, outcome: 'ok' }), 2);
  t.equal(await value('sluice_requests_total', { ...http, outcome: 'expired' }), 4);
  t.equal(await value('sluice_requests_total', { protocol: 'ws', outcome: 'ok' }), 1);
  t.equal(await value('sluice_deadline_misses_total'), 4);
  t.equal(await value('sluice_errors_total', { reason: 'bad_request' }), 5);
  t.equal(await value('sluice_rows_total'), 2006);
  t.equal(await value('sluice_runs_total'), 4, 'the failed one, too');
  t.equal(await value('sluice_queue_depth'), 7);
  t.equal(await value('sluice_version_in_flight'), 9);
  t.equal(await value('sluice_batch_releases_total', { reason: 'delay_over' }), 3);
  t.equal(await value('sluice_batch_rows_bucket', { le: '4' }), 2);
  t.equal(await value('sluice_batch_rows_bucket', { le: '1024' }), 2);
  t.equal(await value('sluice_batch_rows_sum'), 2006);
  t.equal(await value('sluice_request_bytes_total', http), 512);
  const ok = { ...http, outcome: 'ok' };
  t.equal(await value('sluice_request_seconds_sum', ok), 0.001);
  t.equal(await value('sluice_request_seconds_count', ok), 2);
  t.equal(await value('sluice_request_seconds_bucket', { ...ok, le: '0.000256' }), 0);
  t.equal(await value('sluice_request_seconds_bucket', { ...ok, le: '0.000512' }), 1);
  t.equal(await value('sluice_request_seconds_bucket', { ...ok, le: '0.001024' }), 2);
  const run = { ...http, stage: 'run' };
  t.equal(await value('sluice_stage_seconds_sum', run), 0.00018);
  t.equal(await value('sluice_stage_seconds_bucket', { ...run, le: '0.000064' }), 1);
});

t.test('a version that is not open has a state and no counts; one that is gone has nothing', async (t) => {
  const other: MetricSource = () => [
    { name: 'x', type: 'gauge', help: '', samples: [{ labels: {}, value: 1 }] },
  ];
  const { value, models, read } = metricsOf(undefined, [other]);
  t.equal(await value('sluice_version_ready'), 1);
  t.notOk((await read()).has('sluice_rows_total'));
  models.snapshot = snapshotOf(modelEntry('m', [versionEntry('m', '1', 1, 'UNLOADED')]));
  const names = [...(await read()).keys()].filter((name) => name.startsWith('sluice_'));
  t.same(names, []);
});

t.test('OpenMetrics carries exemplars in the bucket they belong to', async (t) => {
  const { metrics, models, read } = metricsOf(filledStats());
  const entry = models.snapshot.models.get('m')?.versions.get('1');
  if (entry === undefined) throw new Error('expected the version');
  metrics.exemplars.note(entry, 'http', '4bf92f3577b34da6a3ce929d0e0e4736', 0.0003, 1_700_000_000_500);
  const families = await read('application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
  const traced = families.get('sluice_request_seconds')?.samples.filter((sample) => sample.exemplar) ?? [];
  t.match(traced, [
    {
      labels: { protocol: 'http', outcome: 'ok', le: '0.000512' },
      exemplar: { labels: { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' }, value: 0.0003 },
    },
  ]);
  t.equal(traced.length, 1);
  t.equal(families.get('sluice_requests')?.type, 'counter', 'named without its ending there');
  t.equal(families.get('sluice_request_seconds')?.unit, 'seconds');
});

t.test(
  'lines of a version are written anew once anything about it has changed, and not before',
  async (t) => {
    let mark: bigint | undefined = 1n;
    let okRows = 1;
    let reads = 0;
    const models = { snapshot: snapshotOf(modelEntry('m', [versionEntry('m', '1', 1)])) };
    const metrics = new Metrics({
      models,
      statsOf: () => {
        reads += 1;
        return emptyStats({ okRows, protocols: [http()] });
      },
      statsMarkOf: () => mark,
      tritonMetrics: true,
      sources: [],
    });
    const text = async (accept = '') => Buffer.concat((await metrics.scrape(accept)).body).toString();
    const first = await text();
    t.match(first, 'sluice_rows_total{model="m",version="1"} 1\n');
    okRows = 2;
    t.equal(await text(), first, 'the mark says that nothing has changed');
    t.equal(reads, 1);
    mark = 2n;
    t.match(await text(), 'sluice_rows_total{model="m",version="1"} 2\n');
    const open = await text('application/openmetrics-text');
    t.ok(open.endsWith('# EOF\n'), 'the other format is not taken for this one');
    const entry = models.snapshot.models.get('m')!.versions.get('1')!;
    metrics.exemplars.note(entry, 'http', '4bf92f3577b34da6a3ce929d0e0e4736', 0.0003, 1_700_000_000_500);
    t.match(await text('application/openmetrics-text'), '4bf92f3577b34da6a3ce929d0e0e4736', 'a new exemplar');
    models.snapshot = snapshotOf(modelEntry('m', [versionEntry('m', '1', 1, 'DRAINING')]));
    t.match(await text(), 'state="DRAINING"', 'a new state');
    mark = undefined;
    const before = reads;
    await text();
    t.equal(reads, before + 1, 'a version that is closed meanwhile');
    const together = await Promise.all(['', 'application/openmetrics-text', '', ''].map(text));
    t.equal(together[0], together[2]);
    t.equal(together[0], together[3], 'scrapes at the same time do not mix');
    readExposition(together[1]!, 'openmetrics');
  },
);

t.test('the format is the one that weighs more', async (t) => {
  for (const accept of ['', '*/*', 'text/plain', 'text/plain;q=0.9, application/openmetrics-text;q=0.5'])
    t.equal(formatFor(accept), 'prometheus', accept);
  for (const accept of [
    'application/openmetrics-text; version=1.0.0',
    'text/plain;q=0.4,application/openmetrics-text;q=0.6',
  ])
    t.equal(formatFor(accept), 'openmetrics', accept);
});

t.test("Triton's names tell the same numbers in microseconds, where asked for", async (t) => {
  t.equal(await metricsOf(filledStats()).value('nv_inference_count'), 0, 'absent');
  const { value, read } = metricsOf(filledStats(), [], true);
  t.equal(await value('nv_inference_request_success'), 3);
  t.equal(await value('nv_inference_request_failure', { reason: 'CANCELED' }), 3);
  t.equal(await value('nv_inference_request_failure', { reason: 'BACKEND' }), 1);
  t.equal(await value('nv_inference_request_failure', { reason: 'REJECTED' }), 4);
  t.equal(await value('nv_inference_count'), 2006);
  t.equal(await value('nv_inference_exec_count'), 4);
  t.equal(await value('nv_inference_request_duration_us'), 1000);
  t.equal(await value('nv_inference_compute_infer_duration_us'), 2 * 180);
  t.equal(await value('nv_inference_queue_duration_us'), 2 * (90 + 120));
  t.equal(await value('nv_inference_pending_request_count'), 7);
  const families = await read('application/openmetrics-text');
  t.equal(families.get('nv_inference_count')?.type, 'unknown', 'OpenMetrics has no counters of such names');
});

t.test('what other parts show is escaped, and a family without samples is left out', async (t) => {
  const source: MetricSource = () => [
    {
      name: 'x_total',
      type: 'counter',
      help: 'a\\b\nc',
      samples: [{ labels: { le: 'a"\\\n' }, value: Infinity }],
    },
    { name: 'y', type: 'gauge', help: '', samples: [] },
  ];
  const { metrics, read } = metricsOf(undefined, [source]);
  t.match(Buffer.concat((await metrics.scrape('')).body).toString(), 'x_total{le="a\\"\\\\\\n"} +Inf\n');
  const families = await read();
  t.match(families.get('x_total'), {
    type: 'counter',
    samples: [{ labels: { le: 'a"\\\n' }, value: Infinity }],
  });
  t.notOk(families.has('y'));
  t.ok((await read('application/openmetrics-text')).has('x'));
});

t.test('a long text comes whole, each sample once and in its order', async (t) => {
  const samples = Array.from({ length: 5000 }, (_, at) => ({ labels: { of: `n\u00e4me ${at}` }, value: at }));
  const { read } = metricsOf(undefined, [() => [{ name: 'many', type: 'gauge', help: 'a', samples }]]);
  for (const accept of ['', 'application/openmetrics-text']) {
    const found = (await read(accept)).get('many')?.samples.map(({ labels, value }) => ({ labels, value }));
    t.same(found, samples, accept);
  }
});

t.test('the parser of these tests is strict', async (t) => {
  const head = '# HELP a_total x\n# TYPE a_total counter\n';
  const bad: Record<string, string> = {
    'no line feed': `${head}a_total 1`,
    'no type': 'a 1\n',
    'not a number': `${head}a_total Nan\n`,
    'a bare quote': `${head}a_total{b="c"d"} 1\n`,
    'an escape of nothing': `${head}a_total{b="\\x"} 1\n`,
    'a label twice': `${head}a_total{b="1",b="2"} 1\n`,
    'a series twice': `${head}a_total{b="1",c="2"} 1\na_total{c="2",b="1"} 1\n`,
    'a family in two pieces': `${head}a_total 1\n# TYPE b gauge\nb 1\n# TYPE a_total counter\n`,
    'a counter below zero': `${head}a_total -1\n`,
    'a foreign sample': `${head}b_total 1\n`,
    'an exemplar': `${head}a_total 1 # {trace_id="1"} 1\n`,
    'no +Inf': '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
    'counts that fall': '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    'another count': '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
  };
  for (const [what, text] of Object.entries(bad)) t.throws(() => readExposition(text, 'prometheus'), what);
  readExposition(`${head}a_total{b="\\"\\\\\\n"} 1e-3\n`, 'prometheus');
  t.throws(() => readExposition('# TYPE a counter\na 1\n# EOF\n', 'openmetrics'), 'a counter without ending');
  t.throws(() => readExposition('# TYPE a gauge\na 1\n', 'openmetrics'), 'no end');
});

t.test("V2 statistics have Triton's form, and 64-bit numbers to the last digit", async (t) => {
  const models = {
    snapshot: snapshotOf(
      modelEntry('m', [
        versionEntry('m', '1', 1),
        versionEntry('m', '2', 2),
        versionEntry('m', '3', -1, 'LOADING'),
      ]),
      modelEntry('n', [versionEntry('n', '1', 3)]),
      modelEntry('sick', [versionEntry('sick', '1', -1, 'REJECTED')]),
    ),
  };
  const stats = filledStats();
  const statistics = new Statistics(routingOf(models), () => stats);
  const reply = statistics.model('m', '1');
  t.equal(reply.status, 200);
  const zero = '{"count":0,"ns":0}';
  t.equal(
    reply.body,
    '{"model_stats":[{"name":"m","version":"1","last_inference":1700000000123,"inference_count":2006,"execution_count":4,' +
      '"inference_stats":{"success":{"count":3,"ns":1000009},"fail":{"count":1,"ns":100000},"queue":{"count":3,"ns":420000},' +
      '"compute_input":{"count":3,"ns":300000},"compute_infer":{"count":3,"ns":360000},"compute_output":{"count":3,"ns":420000},' +
      `"cache_hit":${zero},"cache_miss":${zero}},"response_stats":{},"batch_stats":[` +
      '{"batch_size":3,"compute_input":{"count":2,"ns":1},"compute_infer":{"count":2,"ns":2},"compute_output":{"count":2,"ns":3}},' +
      '{"batch_size":2000,"compute_input":{"count":1,"ns":4},"compute_infer":{"count":1,"ns":9007199254740993},' +
      '"compute_output":{"count":1,"ns":6}}],"memory_usage":[]}]}',
  );
  const named = (body: string | Uint8Array) =>
    (JSON.parse(String(body)) as { model_stats: Array<{ name: string; version: string }> }).model_stats.map(
      ({ name, version }) => `${name} ${version}`,
    );
  t.same(named(statistics.model('m', undefined).body), ['m 1', 'm 2'], 'those that are ready');
  t.same(named(statistics.all().body), ['m 1', 'm 2', 'n 1']);
  t.equal(statistics.model('m', '3').status, 503);
  t.equal(statistics.model('m', '9').status, 404);
  t.equal(statistics.model('x', undefined).status, 404);
  t.equal(statistics.model('sick', undefined).status, 503);
});
