/** The admin listener without a socket: matching, methods, body checks, errors, asynchronous answers, the document. */
import t from 'tap';
import { z } from 'zod';
import { Access } from '../../src/access/access.js';
import { HostList } from '../../src/access/hosts.js';
import { SluiceError } from '../../src/core/errors.js';
import { jsonReply } from '../../src/serving/replies.js';
import { makeAdmin } from '../../src/transport/admin/admin.js';
import { logLevelRoutes } from '../../src/transport/admin/log-level.js';
import { adminRoute, type AdminCall } from '../../src/transport/admin/route.js';
import { AdminTable } from '../../src/transport/admin/table.js';
import { bytesOf, puppetHead, PuppetResponder, type SentReply } from '../support/puppet-http.js';

const JSON_HEADERS = { 'content-type': 'application/json' };

const splitBody = z.strictObject({ weights: z.array(z.number().min(0, 'expected at least 0')).min(1) });

function rig() {
  const calls: AdminCall[] = [];
  const faults: unknown[] = [];
  const rows = [
    adminRoute({
      method: 'GET',
      path: '/things/{thing}',
      summary: 'One thing',
      query: z.object({ top: z.coerce.number().int().min(1).default(5) }),
      run: (call) => {
        calls.push(call);
        return jsonReply({ thing: call.params['thing'], top: call.query.top });
      },
    }),
    adminRoute({
      method: 'PUT',
      path: '/things/{thing}/split',
      summary: 'Sets the split',
      bodyLimitBytes: 64,
      body: splitBody,
      run: async (call) => {
        calls.push(call);
        await Promise.resolve();
        return jsonReply({ sum: call.body.weights.reduce((sum, weight) => sum + weight, 0) }, 201);
      },
    }),
    adminRoute({ method: 'GET', path: '/things/all', summary: 'All', run: () => jsonReply('literal') }),
    adminRoute({
      method: 'POST',
      path: '/v2/repository/index',
      summary: 'V2',
      body: z.object({ ready: z.boolean().optional() }),
      mayLackBody: true,
      mayLackContentType: true,
      run: (call) => jsonReply(call.body),
    }),
    adminRoute({
      method: 'DELETE',
      path: '/things/{thing}',
      summary: 'Fails as told',
      run: async ({ params }) => {
        if (params['thing'] === 'bug') throw new TypeError('x is undefined');
        throw new SluiceError('CONFLICT', `thing ${params['thing']} is in use`);
      },
    }),
  ];
  const admin = makeAdmin({
    rows,
    facts: { version: '1.2.3' },
    access: Access.open(),
    hosts: new HostList([]),
    reportFault: (error) => faults.push(error),
  });
  const ask = async (
    method: string,
    path: string,
    body = '',
    headers: Record<string, string> = {},
    query = '',
  ): Promise<SentReply> => {
    const responder = new PuppetResponder();
    const head = { ...puppetHead(headers, method, path), query: () => query };
    const sink = admin.handle(head, responder);
    if (sink !== null) sink.chunk(bytesOf(body), true);
    for (let turn = 0; turn < 8 && !responder.isClosed; turn += 1) await Promise.resolve();
    if (responder.sent === undefined) throw new Error(`${method} ${path}: no answer`);
    return responder.sent;
  };
  return { admin, ask, calls, faults };
}

function errorOf(reply: SentReply): string {
  return (JSON.parse(reply.body) as { error: string }).error;
}

t.test('a row gets its parameters, decoded, and its query, checked', async (t) => {
  const { ask, calls } = rig();
  t.equal((await ask('GET', '/things/a%20b')).body, '{"thing":"a b","top":5}');
  t.equal((await ask('GET', '/things/a/', '', {}, 'top=7')).body, '{"thing":"a","top":7}');
  const wrong = await ask('GET', '/things/a', '', {}, 'top=0');
  t.equal(wrong.status, 400);
  t.match(errorOf(wrong), /^query: top: /);
  t.equal((await ask('GET', '/things/all')).body, '"literal"', 'a literal beats a parameter');
  t.equal((await ask('HEAD', '/things/a')).status, 200, 'HEAD is GET for the row');
  t.match(calls[0], { callerId: 'anonymous', headers: { accept: '', 'if-match': '' } });
});

t.test('unknown paths are 404, known paths with another method 405', async (t) => {
  const { ask } = rig();
  for (const path of [
    '/',
    '/things',
    '/things/',
    '/things/a/b',
    '/things/%2e%2e',
    '/things/a%2Fb',
    '/__proto__',
  ]) {
    t.equal((await ask('GET', path)).status, 404, path);
    t.equal((await ask('POST', path, '{}', JSON_HEADERS)).status, 404, path);
  }
  const reply = await ask('PATCH', '/things/a', '{}', JSON_HEADERS);
  t.equal(reply.status, 405);
  t.equal(reply.headers['allow'], 'GET, HEAD, DELETE');
});

t.test('a body is checked before the row sees it, and the error names the place', async (t) => {
  const { ask, calls } = rig();
  const path = '/things/a/split';
  const good = await ask('PUT', path, '{"weights":[1,2]}', JSON_HEADERS);
  t.match(good, { status: 201, body: '{"sum":3}' });
  t.equal(calls.length, 1);
  for (const [body, expected] of [
    ['', /^Expected a JSON body for PUT \/things\/\{thing\}\/split, got an empty one$/],
    ['{', /^Expected a body of JSON: /],
    ['{"weights":[1,-2]}', /^body: weights\[1\]: expected at least 0, got -2$/],
    ['{"weights":"1"}', /^body: weights: expected array, got "1"$/],
    ['{"weights":[1],"wieghts":2}', /^body: unknown field "wieghts"$/],
    ['[]', /^body: expected object, got \[\]$/],
  ] as const) {
    const reply = await ask('PUT', path, body, JSON_HEADERS);
    t.equal(reply.status, 400, body);
    t.match(errorOf(reply), expected);
  }
  const large = `{"weights":[${'1,'.repeat(40)}1]}`;
  t.equal((await ask('PUT', path, large, JSON_HEADERS)).status, 413, 'over the limit while it comes');
  const declared = await ask('PUT', path, large, { ...JSON_HEADERS, 'content-length': '83' });
  t.equal(declared.status, 413, 'over the limit from the start');
  t.equal(calls.length, 1, 'the row saw none of them');
});

t.test('a change must say that it is JSON', async (t) => {
  const { ask } = rig();
  for (const type of ['', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
    const reply = await ask('PUT', '/things/a/split', '{"weights":[1]}', { 'content-type': type });
    t.equal(reply.status, 415, type);
  }
  const charset = { 'content-type': 'application/json; charset=utf-8' };
  t.equal((await ask('PUT', '/things/a/split', '{"weights":[1]}', charset)).status, 201);

  t.equal((await ask('POST', '/v2/repository/index')).body, '{}', 'a V2 client may say nothing');
  for (const header of ['origin', 'sec-fetch-site']) {
    const reply = await ask('POST', '/v2/repository/index', '', { [header]: 'null' });
    t.equal(reply.status, 415, 'the page of a browser may not');
  }
});

t.test('what a row throws becomes a status; a fault of ours stays in the log', async (t) => {
  const { ask, faults } = rig();
  const conflict = await ask('DELETE', '/things/a', '', JSON_HEADERS);
  t.match(conflict, { status: 409, body: '{"error":"thing a is in use"}' });
  t.same(faults, []);
  const bug = await ask('DELETE', '/things/bug', '', JSON_HEADERS);
  t.equal(bug.status, 500);
  t.notMatch(bug.body, /undefined/);
  t.match(faults, [TypeError]);
});

t.test('a client that goes away does not hear the answer', async (t) => {
  const { admin, faults } = rig();
  const responder = new PuppetResponder();
  const sink = admin.handle(puppetHead(JSON_HEADERS, 'PUT', '/things/a/split'), responder);
  sink?.chunk(bytesOf('{"weights":[1'), false);
  responder.close();
  sink?.aborted();
  await Promise.resolve();
  t.equal(responder.sends, 0);
  t.same(faults, []);
});

t.test('two rows for one path and method, or two spellings of one path, are a fault of ours', async (t) => {
  const row = (path: string) => adminRoute({ method: 'GET', path, summary: '', run: () => jsonReply(1) });
  t.throws(() => new AdminTable([row('/a/{b}'), row('/a/{b}')]), /two admin routes/);
  t.throws(() => new AdminTable([row('/a/{b}'), row('/a/{c}')]), /two admin routes/);
});

t.test('the document is made of the same validators', async (t) => {
  const { ask } = rig();
  const document = JSON.parse((await ask('GET', '/openapi.json')).body) as Record<string, never>;
  t.match(document, {
    openapi: '3.1.0',
    info: { version: '1.2.3' },
    paths: {
      '/things/{thing}': {
        get: {
          parameters: [
            { name: 'thing', in: 'path', required: true },
            { name: 'top', in: 'query', required: false, schema: { type: 'integer', minimum: 1 } },
          ],
        },
        delete: { operationId: 'deleteThingsThing' },
      },
      '/things/{thing}/split': {
        put: {
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: {
                  required: ['weights'],
                  additionalProperties: false,
                  properties: { weights: { minItems: 1 } },
                },
              },
            },
          },
        },
      },
      '/v2/repository/index': { post: { requestBody: { required: false } } },
      '/openapi.json': {},
    },
  });
});

t.test('the level of the log can be asked for and changed', async (t) => {
  const told: object[] = [];
  const log = { level: 'info', warn: (fields: object) => void told.push(fields) };
  const table = new AdminTable(logLevelRoutes(log, ['info', 'debug']));
  const route = (method: string) => table.find('/log-level')!.byMethod.get(method)!;
  const call = (body?: unknown): AdminCall => ({
    params: {},
    query: undefined,
    body,
    headers: { accept: '', 'if-match': '', 'if-none-match': '' },
    callerId: 'ops',
  });
  t.same((await route('GET').run(call())).body, '{"level":"info"}');
  t.same((await route('PUT').run(call({ level: 'debug' }))).body, '{"level":"debug"}');
  t.equal(log.level, 'debug');
  t.same(told, [{ who: 'ops', from: 'info', to: 'debug' }]);
  t.match(route('PUT').body?.safeParse({ level: 'loud' }), { success: false });
});
