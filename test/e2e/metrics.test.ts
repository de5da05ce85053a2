/**
 * The metrics and statistics of a real server: read by a strict parser, and held to what was sent.
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { DataType } from '../../src/wire/generated/data-type.js';
import { readExposition, type ReadFamily } from '../support/exposition.js';
import { cancelFrame, requestFrame } from '../support/frames.js';
import { ask } from '../support/raw-http.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { byteStrings, fp32, infer } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const OPEN = { accept: 'application/openmetrics-text; version=1.0.0' };

function request(rows: number) {
  const bytes = fp32(...Array.from({ length: rows * 4 }, (_, index) => index));
  return { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [rows, 4], bytes }] };
}

function sum(
  families: Map<string, ReadFamily>,
  family: string,
  suffix: string,
  labels: Record<string, string>,
) {
  const samples = families.get(family)?.samples ?? [];
  const chosen = samples.filter(
    (sample) =>
      sample.name === `${family}${suffix}` &&
      Object.entries(labels).every(([name, value]) => sample.labels[name] === value),
  );
  return chosen.reduce((total, { value }) => total + value, 0);
}

t.test('both formats pass the strict parser and tell what was sent', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned', 'tiny']), {
    tritonMetrics: true,
  });
  const { port, adminPort } = server;
  const rows = [1, 2, 3, 16];
  await Promise.all(rows.map((count) => infer(port, 'versioned', request(count))));
  t.equal((await infer(port, 'versioned', request(17))).status, 400);
  t.equal((await infer(port, 'nobody', request(1))).status, 404);

  const plain = await ask(adminPort, 'GET', '/metrics');
  t.equal(plain?.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const families = readExposition(plain?.body.toString() ?? '', 'prometheus');
  const of = { model: 'versioned', version: '2' };
  t.equal(sum(families, 'sluice_requests_total', '', { ...of, outcome: 'ok' }), 4);
  t.equal(sum(families, 'sluice_requests_total', '', { ...of, outcome: 'refused' }), 1);
  t.equal(sum(families, 'sluice_errors_total', '', { ...of, reason: 'shape_mismatch' }), 1);
  t.equal(sum(families, 'sluice_server_refusals_total', '', { reason: 'model_not_found' }), 1);
  t.equal(sum(families, 'sluice_batch_rows', '_sum', of), 22);
  t.equal(sum(families, 'sluice_batch_rows', '_count', of), sum(families, 'sluice_runs_total', '', of));
  t.equal(sum(families, 'sluice_queue_depth', '', of), 0);
  for (const stage of ['receive', 'decode', 'queue', 'batch_wait', 'gather', 'run', 'encode', 'send'])
    t.equal(sum(families, 'sluice_stage_seconds', '_count', { ...of, stage }), 4, stage);
  const total = sum(families, 'sluice_request_seconds', '_sum', { ...of, outcome: 'ok' });
  const stages = sum(families, 'sluice_stage_seconds', '_sum', of);
  const sends = sum(families, 'sluice_stage_seconds', '_sum', { ...of, stage: 'send' });
  t.ok(
    Math.abs(total - (stages - sends)) < 0.2 * total,
    `the stages (${stages} s) make up the whole (${total} s)`,
  );
  t.equal(sum(families, 'sluice_requests_total', '', { model: 'tiny' }), 0);
  t.equal(sum(families, 'nv_inference_count', '', of), 22);
  t.ok(families.has('nodejs_eventloop_lag_seconds') && families.has('process_resident_memory_bytes'));

  const open = await ask(adminPort, 'GET', '/metrics', undefined, OPEN);
  t.equal(open?.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  t.ok(readExposition(open?.body.toString() ?? '', 'openmetrics').has('sluice_requests'));
  const together = await Promise.all([1, 2, 3].map(() => ask(adminPort, 'GET', '/metrics', undefined, OPEN)));
  for (const reply of together) readExposition(reply?.body.toString() ?? '', 'openmetrics');
});

t.test(
  'a batch grows the slabs of its version by what it holds, and an unload takes all of its bytes away',
  async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, ['identity_bytes', 'tiny']), {
      modelControl: 'explicit',
      loadModel: '*',
    });
    const { port, adminPort } = server;
    const bytesOf = async (model: string, of: string): Promise<number> => {
      const page = await ask(adminPort, 'GET', '/metrics');
      const families = readExposition(page?.body.toString() ?? '', 'prometheus');
      return sum(families, 'sluice_model_bytes', '', { model, of });
    };
    const before = await bytesOf('identity_bytes', 'slabs');
    // A string lies in the slabs twice, as input and as output, each with its length and rounded up.
    const bytes = byteStrings('x'.repeat(40_000));
    const string = { inputs: [{ name: 'INPUT0', datatype: 'BYTES', shape: [1, 1], bytes }] };
    for (let time = 0; time < 3; time += 1)
      t.equal((await infer(port, 'identity_bytes', string)).status, 200);
    const after = await bytesOf('identity_bytes', 'slabs');
    t.ok(before < 1000 && after >= 2 * 40_004 && after <= 2 * 40_100, `${before}, then ${after} bytes`);
    t.ok((await bytesOf('tiny', 'arena')) > 0, 'the weights of the other model');

    const unload = await ask(adminPort, 'POST', '/v2/repository/models/identity_bytes/unload');
    t.equal(unload?.status, 200);
    const stateOf = async () => {
      const { models } = JSON.parse((await ask(adminPort, 'GET', '/models'))?.body.toString() ?? '') as {
        models: Array<{ name: string; versions: Array<{ state: string }> }>;
      };
      return models.find(({ name }) => name === 'identity_bytes')?.versions[0];
    };
    while ((await stateOf())?.state === 'DRAINING');
    t.match(await stateOf(), { state: 'UNLOADED', slabBytes: undefined, arenaBytes: undefined });
    for (const of of ['files', 'memory', 'arena', 'slabs'])
      t.equal(await bytesOf('identity_bytes', of), 0, of);
    t.ok((await bytesOf('tiny', 'slabs')) > 0, 'the other version keeps its own');
  },
);

t.test('V2 statistics of a real server', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned']));
  const beganMs = Date.now();
  for (const count of [2, 2, 5]) await infer(server.port, 'versioned', request(count));
  const read = async (path: string) => {
    const reply = await ask(server.port, 'GET', path);
    return JSON.parse(reply?.body.toString() ?? '') as { model_stats: Array<Record<string, unknown>> };
  };
  const { model_stats: all } = await read('/v2/models/stats');
  t.match(
    all.map(({ name, version }) => [name, version]),
    [
      ['versioned', '1'],
      ['versioned', '2'],
    ],
  );
  const { model_stats: one } = await read('/v2/models/versioned/versions/2/stats');
  t.match(one, [
    {
      inference_count: 9,
      execution_count: 3,
      inference_stats: { success: { count: 3 }, compute_infer: { count: 3 }, fail: { count: 0, ns: 0 } },
      batch_stats: [
        { batch_size: 2, compute_infer: { count: 2 } },
        { batch_size: 5, compute_infer: { count: 1 } },
      ],
    },
  ]);
  const lastMs = Number(one[0]?.['last_inference']);
  t.ok(lastMs >= beganMs - 1 && lastMs <= Date.now() + 1);
  t.equal((await ask(server.port, 'GET', '/v2/models/nobody/stats'))?.status, 404);
  t.equal((await ask(server.port, 'POST', '/v2/models/versioned/stats', '{}'))?.status, 405);
  t.match((await read('/v2')) as unknown, {
    extensions: ['binary_tensor_data', 'model_configuration', 'model_repository', 'statistics'],
  });
});

t.test('sockets and the requests of their frames are counted', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned']));
  const client = await WsClient.open(server.port);
  await client.frame();
  const good = { datatype: DataType.FP32, shape: [1, 4], data: fp32(1, 2, 3, 4) };
  const bad = { ...good, shape: [1, 3] };
  const sent = [
    ['versioned', good],
    ['versioned', good],
    ['versioned', bad],
    ['nobody', good],
  ] as const;
  for (const [id, [model, input]] of sent.entries()) {
    client.send(requestFrame({ id, model, inputs: [input] }));
    await client.frame();
  }
  client.send(cancelFrame(99));
  client.socket.send('words');
  t.equal((await client.closed()).code, 1003);
  const open = await WsClient.open(server.port);
  await t.rejects(WsClient.open(server.port, { origin: 'https://elsewhere.example' }), /403/);

  const page = await ask(server.adminPort, 'GET', '/metrics');
  const families = readExposition(page?.body.toString() ?? '', 'prometheus');
  const of = { model: 'versioned', version: '2', protocol: 'ws' };
  t.equal(sum(families, 'sluice_requests_total', '', { ...of, outcome: 'ok' }), 2);
  t.equal(sum(families, 'sluice_requests_total', '', { ...of, outcome: 'refused' }), 1);
  for (const stage of ['receive', 'decode', 'run', 'encode', 'send'])
    t.equal(sum(families, 'sluice_stage_seconds', '_count', { ...of, stage }), 2, stage);
  t.equal(sum(families, 'sluice_server_refusals_total', '', { reason: 'model_not_found' }), 1);
  const numbers = [
    'opened_total',
    'refused_total',
    'messages_total',
    'answers_total',
    'ended_total',
    'sockets',
  ];
  t.same(
    numbers.map((name) => sum(families, `sluice_ws_${name}`, '', {})),
    [2, 1, 6, 4, 1, 1],
  );
  t.equal(sum(families, 'sluice_ws_ended_total', '', { reason: 'text_message' }), 1);
  open.close();
});

const promtool = spawnSync('promtool', ['--version']);
t.test(
  'promtool finds nothing to say',
  { skip: promtool.status === 0 ? false : 'promtool is not here' },
  async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, ['versioned']));
    await infer(server.port, 'versioned', request(1));
    const page = await ask(server.adminPort, 'GET', '/metrics');
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: page?.body, encoding: 'utf8' });
    t.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
  },
);
