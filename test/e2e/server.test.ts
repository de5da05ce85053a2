/**
 * The server as a whole beside its requests: the admin listener, what the metrics count, the order of start and stop.
 */
import { once } from 'node:events';
import t from 'tap';
import { readSettings } from '../../src/config.js';
import { startServer } from '../../src/server.js';
import { ask, RawClient, requestBytes } from '../support/raw-http.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { fp32, infer, wireBody } from '../support/v2-wire.js';

const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };

function request(rows: number) {
  const bytes = fp32(...Array.from({ length: rows * 4 }, (_, index) => index));
  return { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [rows, 4], bytes }] };
}

function metric(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

t.test('the admin listener counts what the other one served', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned']));
  const { port, adminPort } = server;
  for (const rows of [1, 2, 3]) t.equal((await infer(port, 'versioned', request(rows))).status, 200);
  t.equal((await infer(port, 'versioned/versions/1', request(5))).status, 200);
  t.equal(
    (await infer(port, 'versioned', request(17))).status,
    400,
    'refused, so never a request of the model',
  );

  const page = await ask(adminPort, 'GET', '/metrics');
  const text = page?.body.toString() ?? '';
  t.match(page?.headers['content-type'], /^text\/plain/);
  t.equal(
    metric(text, 'sluice_requests_total{model="versioned",version="2",protocol="http",outcome="ok"}'),
    3,
  );
  t.equal(metric(text, 'sluice_rows_total{model="versioned",version="2"}'), 6);
  t.equal(
    metric(text, 'sluice_requests_total{model="versioned",version="1",protocol="http",outcome="ok"}'),
    1,
  );
  t.equal(metric(text, 'sluice_rows_total{model="versioned",version="1"}'), 5);
  t.equal(metric(text, 'sluice_version_ready{model="versioned",version="2"}'), 1);
  t.equal(metric(text, 'sluice_in_flight_requests'), 0);
  t.equal(metric(text, 'sluice_in_flight_bytes'), 0);
  t.ok(metric(text, 'process_start_time_seconds') > 1.6e9);
  const again = (await ask(adminPort, 'GET', '/metrics'))?.body.toString() ?? '';
  t.equal(
    metric(again, 'sluice_requests_total{model="versioned",version="2",protocol="http",outcome="ok"}'),
    3,
    'looking does not count',
  );

  const table = JSON.parse((await ask(adminPort, 'GET', '/models'))?.body.toString() ?? '{}') as unknown;
  t.match(table, {
    models: [
      {
        name: 'versioned',
        defaultVersion: '2',
        isReady: true,
        versions: [
          { version: '1', state: 'READY', maxBatchRows: 16, stats: { requests: 1 } },
          { version: '2', state: 'READY', inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [-1, 4] }] },
        ],
      },
    ],
  });
  t.equal((await ask(adminPort, 'GET', '/v2/health/live'))?.status, 200);
  t.equal((await ask(adminPort, 'GET', '/v2/health/ready'))?.status, 200);
  t.equal((await ask(adminPort, 'POST', '/metrics', '{}'))?.status, 405);
  t.equal((await ask(adminPort, 'HEAD', '/metrics'))?.status, 200);
  for (const path of ['/', '/v2', '/v2/models/versioned', '/constructor', '/__proto__']) {
    t.equal((await ask(adminPort, 'GET', path))?.status, 404, `${path} is not for the admin listener`);
  }
  const { body, headers } = wireBody(request(1));
  t.equal((await ask(adminPort, 'POST', '/v2/models/versioned/infer', body, headers))?.status, 404);
  for (const path of ['/metrics', '/models', '/openapi.json']) {
    t.equal((await ask(port, 'GET', path))?.status, 404, `${path} is not for the inference listener`);
  }
});

for (const transport of ['uws', 'node'] as const) {
  t.test(`a stop over ${transport} answers what was accepted`, async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, ['slow']), { transport });
    const { port, adminPort } = server;
    const input = { name: 'X', datatype: 'FP32', shape: [1, 4], bytes: fp32(1, 2, 3, 4) };
    const { body, headers } = wireBody({ inputs: [input], more: '"parameters":{"binary_data_output":true}' });
    const waiting = await RawClient.open(port);
    const idle = await RawClient.open(port);
    const admin = await RawClient.open(adminPort);
    waiting.write(requestBytes('POST', '/v2/models/slow/infer', body, headers));
    let inside = 0;
    for (let look = 0; inside === 0 && look < 1000; look += 1) {
      admin.write(requestBytes('GET', '/metrics'));
      inside = metric((await admin.reply())?.body.toString() ?? '', 'sluice_in_flight_requests');
    }

    t.equal(inside, 1, 'a request is inside when the stop begins');
    const stopped = server.stop();
    t.equal(server.stop(), stopped, 'a second call waits for the first');
    await t.rejects(RawClient.open(port), { code: 'ECONNREFUSED' }, 'no new connections');
    admin.write(requestBytes('GET', '/v2/health/ready'));
    t.equal((await admin.reply())?.status, 503, 'not ready');
    admin.write(requestBytes('GET', '/v2/health/live'));
    t.equal((await admin.reply())?.status, 200, 'still alive');
    idle.write(requestBytes('POST', '/v2/models/slow/infer', body, headers));
    t.equal((await idle.reply())?.status, 503, 'no new requests');

    const reply = await waiting.reply();
    t.equal(reply?.status, 200);
    t.same(reply?.body.subarray(-16), fp32(1, 2, 3, 4), 'the accepted request gets its answer');
    t.equal(await stopped, true);
    await Promise.all([waiting.closed(), idle.closed(), admin.closed()]);
    await t.rejects(RawClient.open(adminPort), { code: 'ECONNREFUSED' });
  });
}

for (const transport of ['uws', 'node'] as const) {
  t.test(`a stop over ${transport} cuts off no answer that is still being read`, async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, ['identity_uint8']), { transport });
    const bytes = Buffer.alloc(16 * 1024 * 1024, 7);
    const input = { name: 'INPUT0', datatype: 'UINT8', shape: [1, bytes.length], bytes };
    const { body, headers } = wireBody({ inputs: [input], more: '"parameters":{"binary_data_output":true}' });
    const client = await RawClient.open(server.port);
    client.write(requestBytes('POST', '/v2/models/identity_uint8/infer', body, headers));
    await once(client.socket, 'data');
    client.socket.pause();
    const stopped = server.stop();
    await t.rejects(RawClient.open(server.port), { code: 'ECONNREFUSED' }, 'the stop has begun');
    client.socket.resume();
    t.equal((await client.reply())?.body.subarray(-bytes.length).equals(bytes), true);
    t.equal(await stopped, true);
  });
}

t.test('a start that fails leaves nothing behind', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned']));
  for (const transport of ['uws', 'node'] as const) {
    const flags = {
      repository: linkedRepository(t, ['versioned']),
      port: server.port,
      adminPort: 0,
      transport,
    };
    await t.rejects(startServer(readSettings(flags, {}), QUIET), 'the port is taken');
    const nowhere = { repository: `${t.testdirName}/nowhere`, port: 0, adminPort: 0, transport };
    await t.rejects(startServer(readSettings(nowhere, {}), QUIET), 'there is no repository');
  }
  t.equal((await infer(server.port, 'versioned', request(1))).status, 200, 'the first server goes on');
});
