/**
 * A server with keys, from outside: every route of both listeners with no key, a wrong one, one of another scope and the
 * right one; a key that is revoked; names that are not the server's own.
 */
import t, { type Test } from 'tap';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashKey, type Scope } from '../../src/access/key-file.js';
import { knownPaths } from '../../src/transport/paths.js';
import { ask } from '../support/raw-http.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { WsClient } from '../support/ws-client.js';

const SCOPE_KEYS: Record<Scope, string> = { infer: 'key-infer', admin: 'key-admin', metrics: 'key-metrics' };

function writeKeys(path: string, keys: ReadonlyArray<readonly [string, Scope, string[]?]>): void {
  const entries = keys.map(([key, scope, models]) => ({
    id: key,
    sha256: hashKey(key).toString('hex'),
    scopes: [scope],
    ...(models === undefined ? {} : { models }),
  }));
  writeFileSync(path, JSON.stringify({ keys: entries }));
}

async function startWithKeys(t: Test, transport: string) {
  const repository = linkedRepository(t, ['versioned']);
  const path = join(repository, '../keys.json');
  writeKeys(path, [
    ['key-infer', 'infer'],
    ['key-admin', 'admin'],
    ['key-metrics', 'metrics'],
    ['key-one', 'infer', ['versioned']],
    ['key-other', 'infer', ['other']],
    ['key-admin-other', 'admin', ['other']],
  ]);
  const { server } = await startTestServer(t, repository, { keys: path, transport });
  return { server, path };
}

interface Probe {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly scope: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };

async function statusOf({ port, method, path }: Probe, headers: Record<string, string>): Promise<number> {
  const reply = await ask(port, method, path, method === 'GET' ? undefined : '{}', {
    ...JSON_TYPE,
    ...headers,
  });
  return reply?.status ?? 0;
}

for (const transport of ['uws', 'node']) {
  t.test(`every route over ${transport} asks for its scope`, async (t) => {
    const { server } = await startWithKeys(t, transport);
    const { port, adminPort } = server;
    const admin = { authorization: 'Bearer key-admin' };
    const document = JSON.parse(
      (await ask(adminPort, 'GET', '/openapi.json', undefined, admin))?.body.toString() ?? '{}',
    ) as { paths: Record<string, Record<string, { 'x-sluice-scope': string }>> };
    const adminProbes = Object.entries(document.paths).flatMap(([path, byMethod]) =>
      Object.entries(byMethod).map(([method, operation]) => ({
        port: adminPort,
        method: method.toUpperCase(),
        path: path.replace(/\{model\}/g, 'nobody').replace(/\{[^}]*\}/g, '9'),
        scope: operation['x-sluice-scope'],
      })),
    );
    t.ok(adminProbes.length >= 5);
    const inferProbes = knownPaths('nobody').flatMap((path) =>
      ['GET', 'POST'].map((method) => {
        const scope = path.startsWith('/v2/health/') ? 'open' : 'infer';
        return { port, method, path, scope };
      }),
    );
    const unknown = ['GET', 'POST', 'DELETE'].flatMap((method) => [
      { port, method, path: '/nowhere', scope: 'infer' },
      { port: adminPort, method, path: '/nowhere', scope: 'admin' },
      { port: adminPort, method, path: '/models', scope: 'admin' },
    ]);
    for (const probe of [...adminProbes, ...inferProbes, ...unknown]) {
      const what = `${probe.method} ${probe.path}`;
      const isOpen = probe.scope === 'open';
      const none = await statusOf(probe, {});
      const wrong = await statusOf(probe, { authorization: 'Bearer key-wrong' });
      t.equal(isOpen ? none < 500 && none !== 401 : none === 401, true, `${what}: no key gets ${none}`);
      t.equal(isOpen ? wrong !== 401 : wrong === 401, true, `${what}: a wrong key gets ${wrong}`);
      const inUrl = await statusOf({ ...probe, path: `${probe.path}?api_key=key-admin&key=key-infer` }, {});
      t.equal(inUrl, none, `${what}: a key in the URL is none`);
      for (const scope of ['infer', 'admin', 'metrics'] as const) {
        const status = await statusOf(probe, { 'x-api-key': SCOPE_KEYS[scope] });
        const isRight = isOpen || probe.scope === scope || (probe.scope === 'metrics' && scope === 'admin');
        t.equal(status === 401, false, `${what}: a known key of scope ${scope}`);
        t.equal(status === 403, !isRight, `${what}: scope ${scope} gets ${status}`);
      }
    }
  });
}

t.test('a key for some models is good for no other', async (t) => {
  const { server } = await startWithKeys(t, 'uws');
  const ready = '/v2/models/versioned/ready';
  for (const [key, path, status] of [
    ['key-one', ready, 200],
    ['key-one', '/v2/models/versioned/versions/1', 200],
    ['key-one', '/v2/models/%76ersioned/ready', 200],
    ['key-one', '/v2/models/other/ready', 403],
    ['key-one', '/v2/models', 403],
    ['key-other', ready, 403],
    ['key-other', '/v2/models/%76ersioned/ready', 403],
  ] as const)
    t.equal(
      (await ask(server.port, 'GET', path, undefined, { 'x-api-key': key }))?.status,
      status,
      `${key} ${path}`,
    );
  const limited = { 'x-api-key': 'key-admin-other' };
  t.equal((await ask(server.adminPort, 'GET', '/models', undefined, limited))?.status, 403);
  const denied = await ask(server.port, 'GET', ready);
  t.match(denied?.headers['www-authenticate'], /^Bearer/);
});

for (const transport of ['uws', 'node']) {
  t.test(`a key that leaves the file is good for nothing any more, over ${transport}`, async (t) => {
    const { server, path } = await startWithKeys(t, transport);
    const statusWith = async (key: string) => {
      const reply = await ask(server.port, 'GET', '/v2/models/versioned/ready', undefined, {
        'x-api-key': key,
      });
      return reply?.status;
    };
    const client = await WsClient.open(server.port, { headers: { authorization: 'Bearer key-infer' } });
    t.ok((await client.frame()).hello());
    t.same([await statusWith('key-infer'), await statusWith('key-fresh')], [200, 401]);
    writeKeys(`${path}.new`, [['key-fresh', 'infer']]);
    renameSync(`${path}.new`, path);
    t.equal((await client.closed()).code, 1008, 'a socket that is open ends');
    t.same([await statusWith('key-infer'), await statusWith('key-fresh')], [401, 200]);
  });
}

t.test('a name that is not ours gets nothing from the admin listener', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['versioned']), {
    allowedHosts: 'models.example',
  });
  for (const [host, status] of [
    ['evil.example', 403],
    ['evil.example:8002', 403],
    ['localhost:8002', 200],
    ['127.0.0.1', 200],
    ['models.example', 200],
  ] as const) {
    for (const path of ['/metrics', '/models'])
      t.equal(
        (await ask(server.adminPort, 'GET', path, undefined, { host }))?.status,
        status,
        `${host} ${path}`,
      );
  }
  const probe = { host: 'pod.example' };
  t.equal(
    (await ask(server.adminPort, 'GET', '/v2/health/live', undefined, probe))?.status,
    200,
    'health is open',
  );
});
