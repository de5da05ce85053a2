/** The V2 repository calls and the commands on single versions, on the admin listener of a real server. */
import t, { type Test } from 'tap';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { fp32, infer } from '../support/v2-wire.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));

function repositoryOf(t: Test, ...names: string[]): string {
  const root = join(t.testdir({}), 'models');
  mkdirSync(root);
  for (const name of names) cpSync(join(MODELS, name), join(root, name), { recursive: true });
  return root;
}

async function start(t: Test, root: string, flags: Record<string, unknown> = {}) {
  const { server } = await startTestServer(t, root, { modelControl: 'explicit', loadModel: '*', ...flags });
  const call = async (port: number, method: string, path: string, body?: unknown) => {
    const text = body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const reply = await ask(port, method, path, text, headers);
    return { status: reply?.status, body: JSON.parse(reply?.body.toString() || 'null') as unknown };
  };
  return {
    server,
    admin: (method: string, path: string, body?: unknown) => call(server.adminPort, method, path, body),
    read: (path: string) => call(server.port, 'GET', path),
  };
}

/** Version 1 of `versioned` answers X + 1, version 2 X + 2. */
async function versionServing(port: number, path = 'versioned'): Promise<unknown> {
  const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], bytes: fp32(0, 0, 0, 0) }];
  const answer = await infer(port, path, { inputs });
  return answer.status === 200 ? answer.head['model_version'] : answer.status;
}

t.test('the index has one row per known version, and the names that were never loaded', async (t) => {
  const root = repositoryOf(t, 'versioned', 'add_sub');
  mkdirSync(join(root, 'broken', '1'), { recursive: true });
  writeFileSync(join(root, 'broken', '1', 'model.onnx'), 'no model');
  const { admin } = await start(t, root, { loadModel: 'versioned,broken' });
  const rows = (await admin('POST', '/v2/repository/index')).body as Array<Record<string, unknown>>;
  t.match(rows, [
    { name: 'broken', version: '1', state: 'UNAVAILABLE', reason: /not an ONNX model/ },
    { name: 'versioned', version: '1', state: 'READY', sha256: /^[0-9a-f]{64}$/ },
    { name: 'versioned', version: '2', state: 'READY' },
    { name: 'add_sub' },
  ]);
  t.same(Object.keys(rows[3] ?? {}), ['name']);
  const ready = await admin('POST', '/v2/repository/index', { ready: true });
  t.match(ready.body, [{ version: '1' }, { version: '2' }]);
  t.equal((ready.body as unknown[]).length, 2);
  t.equal((await admin('POST', '/v2/repository/index', { ready: 1 })).status, 400);
});

t.test('load and unload of a model, as V2 clients call them', async (t) => {
  const { admin, server } = await start(t, repositoryOf(t, 'versioned'), { loadModel: '' });
  t.equal(await versionServing(server.port), 404);
  t.match(await admin('POST', '/v2/repository/models/versioned/load'), {
    status: 200,
    body: {
      versions: [
        { version: '1', result: 'loaded' },
        { version: '2', result: 'loaded' },
      ],
    },
  });
  t.equal(await versionServing(server.port), '2');
  t.match(await admin('POST', '/v2/repository/models/versioned/load', {}), {
    status: 200,
    body: { versions: [{ result: 'unchanged' }, { result: 'unchanged' }] },
  });
  const unload = { parameters: { unload_dependents: false } };
  t.equal((await admin('POST', '/v2/repository/models/versioned/unload', unload)).status, 200);
  t.equal(await versionServing(server.port), 503);
  t.equal((await admin('POST', '/v2/repository/models/nobody/unload')).status, 200);
  t.equal((await admin('POST', '/v2/repository/models/nobody/load')).status, 404);
  t.match(await admin('POST', '/v2/repository/models/versioned/load', { parameters: { why: 'not' } }), {
    status: 400,
    body: { error: 'unknown parameter "why": expected "config" or "file:<version>/<name>"' },
  });
});

t.test(
  'a load may bring its configuration and its files; the next plain load goes back to the disk',
  async (t) => {
    const { admin, read, server } = await start(t, repositoryOf(t, 'versioned'));
    const load = (parameters: Record<string, string>) =>
      admin('POST', '/v2/repository/models/versioned/load', { parameters });
    const config = '{"maxBatchSize":"7","version_policy":{"specific":{"versions":[1]}}}';
    t.equal((await load({ config })).status, 200);
    t.match((await read('/v2/models/versioned/config')).body, { max_batch_size: 7 });
    t.equal(await versionServing(server.port), '1');

    const file = readFileSync(join(MODELS, 'versioned', '1', 'model.onnx')).toString('base64');
    t.equal((await load({ config: '{}', 'file:9/model.onnx': file })).status, 200);
    t.equal(await versionServing(server.port), '9');
    t.match(await load({ 'file:9/model.onnx': file }), {
      status: 400,
      body: { error: /expected parameter "config"/ },
    });
    for (const name of [
      '9/../x',
      '/etc/passwd',
      '9/a//b',
      'x/model.onnx',
      '9',
      `9/${'n'.repeat(256)}`,
      '9/..',
    ])
      t.equal((await load({ config: '{}', [`file:${name}`]: file })).status, 400, name);
    t.match(await load({ config: '{}', 'file:9/model.onnx': '*not base64*' }), {
      status: 400,
      body: { error: /expected base64/ },
    });
    t.match(await load({ config: '{"max_batch":1}' }), {
      status: 400,
      body: { error: /unknown field.*max_batch_size/ },
    });
    t.match(await load({ config: '{}', 'file:10/model.onnx': Buffer.from('junk').toString('base64') }), {
      status: 400,
      body: { error: /^failed to load 'versioned', version 10: the file is not an ONNX model/ },
    });
    t.equal(await versionServing(server.port), '9', 'what failed changed nothing');
    t.equal((await admin('POST', '/v2/repository/models/versioned/load')).status, 200);
    t.equal(await versionServing(server.port), '2');
  },
);

t.test('one version is unloaded, loaded and pinned; a command can be asked for later', async (t) => {
  const { admin, server } = await start(t, repositoryOf(t, 'versioned'));
  t.equal((await admin('POST', '/models/versioned/versions/2/unload')).status, 200);
  t.equal(await versionServing(server.port), '1');
  t.equal(await versionServing(server.port, 'versioned/versions/2'), 503);
  const begun = await admin('POST', '/models/versioned/versions/2/load?async=true');
  t.match(begun, { status: 202, body: { kind: 'load', model: 'versioned', version: '2', state: 'running' } });
  const { id } = begun.body as { id: string };
  let operation: unknown;
  do operation = (await admin('GET', `/operations/${id}`)).body;
  while ((operation as { state: string }).state === 'running');
  t.match(operation, { state: 'done', result: { version: '2', result: 'loaded' } });
  t.equal(await versionServing(server.port), '2');
  t.equal((await admin('PUT', '/models/versioned/pin', { version: '1' })).status, 200);
  t.equal(await versionServing(server.port), '1');
  t.equal((await admin('DELETE', '/models/versioned/pin')).status, 200);
  t.equal(await versionServing(server.port), '2');
  t.equal((await admin('PUT', '/models/versioned/pin', { version: '8' })).status, 404);
  t.equal((await admin('GET', '/operations/999')).status, 404);
  const { events } = (await admin('GET', '/events')).body as { events: Array<Record<string, unknown>> };
  // What it took the place of may still be draining.
  const becameReady = events.filter(({ to }) => to === 'READY').at(-1);
  t.match(becameReady, { modelName: 'versioned', version: '2', from: 'VERIFYING' });
});

t.test('without explicit control nothing is loaded on command', async (t) => {
  const { admin } = await start(t, repositoryOf(t, 'versioned'), { modelControl: 'none' });
  t.match(await admin('POST', '/v2/repository/models/versioned/load'), {
    status: 503,
    body: { error: /model-control explicit, it is none/ },
  });
});

t.test('the inference listener knows none of these paths', async (t) => {
  const { server } = await start(t, repositoryOf(t, 'versioned'));
  for (const path of [
    '/v2/repository/index',
    '/v2/repository/models/versioned/load',
    '/models/versioned/pin',
  ])
    t.equal((await ask(server.port, 'POST', path))?.status, 404, path);
});
