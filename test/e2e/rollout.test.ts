/**
 * Rolling out a version on a whole server: aliases and split through the admin API, over the wire of inference, while
 * requests run; going back; what survives a restart.
 */
import t, { type Test } from 'tap';
import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '../../src/config.js';
import { startServer } from '../../src/server.js';
import { ask, type RawReply } from '../support/raw-http.js';
import { linkedRepository, PARTS } from '../support/running.js';
import { fp32, infer, wireBody } from '../support/v2-wire.js';

const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };
const JSON_TYPE = { 'content-type': 'application/json' };

/** A repository of its own, because rollouts are written into it. */
function ownRepository(t: Test): string {
  const linked = linkedRepository(t, ['versioned']);
  const repository = join(linked, '../own');
  mkdirSync(repository);
  cpSync(realpathSync(join(linked, 'versioned')), join(repository, 'versioned'), { recursive: true });
  return repository;
}

async function start(t: Test, repository: string) {
  const server = await startServer(readSettings({ repository, port: 0, adminPort: 0 }, {}), QUIET, PARTS);
  t.teardown(() => server.stop());
  const admin = (method: string, path: string, body?: object, headers = {}): Promise<RawReply | undefined> =>
    ask(
      server.adminPort,
      method,
      `/models/versioned${path}`,
      body === undefined ? undefined : JSON.stringify(body),
      { ...JSON_TYPE, ...headers },
    );
  return { server, admin };
}

function request(value: number) {
  return { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], bytes: fp32(value, 0, 0, 0) }] };
}

async function versionThatRan(port: number, path = 'versioned', key = ''): Promise<string> {
  const { body, headers } = wireBody(request(1));
  const reply = await ask(port, 'POST', `/v2/models/${path}/infer`, body, {
    ...headers,
    ...(key === '' ? {} : { 'sluice-routing-key': key }),
  });
  const text = reply?.body.toString('latin1') ?? '';
  return /"model_version":"(\d+)"/.exec(text)?.[1] ?? text;
}

t.test('aliases, split, promote and roll back through the admin listener', async (t) => {
  const { server, admin } = await start(t, ownRepository(t));
  const { port } = server;
  t.equal(await versionThatRan(port), '2', 'without a rollout the highest');
  t.equal((await admin('PUT', '/aliases/stable', { version: '1' }))?.status, 200);
  t.equal(await versionThatRan(port), '1');
  const canary = await admin('PUT', '/aliases/canary', { version: '2' });
  t.match(JSON.parse(canary?.body.toString() ?? ''), {
    model: 'versioned',
    told: 'canary moved from nothing to version 2',
    rollout: { aliases: { stable: '1', canary: '2' } },
  });
  t.equal(await versionThatRan(port, 'versioned/versions/canary'), '2');
  t.equal((await ask(port, 'GET', '/v2/models/versioned/versions/canary/ready'))?.status, 200);
  t.equal((await ask(port, 'GET', '/v2/models/versioned/versions/nobody/ready'))?.status, 404);

  const arms = [
    { to: 'stable', weight: 50 },
    { to: 'canary', weight: 50 },
  ];
  t.equal((await admin('PUT', '/split', { arms }))?.status, 200);
  const sides = new Map<string, string>();
  for (let user = 0; user < 40; user += 1)
    sides.set(`u${user}`, await versionThatRan(port, 'versioned', `u${user}`));
  t.same(new Set(sides.values()), new Set(['1', '2']));
  for (const [user, version] of sides) t.equal(await versionThatRan(port, 'versioned', user), version, user);

  for (const [method, path, body, status, message] of [
    [
      'PUT',
      '/aliases/stable',
      { version: '7' },
      400,
      /aliases\.stable: model "versioned" has no version 7, it has 1, 2/,
    ],
    ['PUT', '/aliases/stable', { verison: '2' }, 400, /^body: version: expected an alias or a version/],
    [
      'PUT',
      '/split',
      { arms: [{ to: 'stable', weight: 95 }] },
      400,
      /split: expected weights that add up to 100, got 95/,
    ],
    ['PUT', '/rollout', { default: 'nobody' }, 400, /default: expected a version or one of the aliases/],
    ['DELETE', '/aliases/nobody', undefined, 404, /no alias "nobody"/],
    ['GET', '/rollout/history?last=0', undefined, 400, /^query: last: expected at least 1, got "0"/],
  ] as const) {
    const reply = await admin(method, path, body);
    t.equal(reply?.status, status, `${method} ${path}`);
    t.match((JSON.parse(reply?.body.toString() ?? '') as { error: string }).error, message);
  }
  const known = await admin('GET', '/rollout');
  const etag = known?.headers['etag'] ?? '';
  t.equal((await admin('POST', '/promote', {}, { 'if-match': '"0123456789abcdef"' }))?.status, 412);
  const promoted = await admin('POST', '/promote', {}, { 'if-match': etag });
  t.match(JSON.parse(promoted?.body.toString() ?? ''), {
    rollout: { aliases: { stable: '2', previous: '1' } },
  });
  t.equal(await versionThatRan(port), '2');
  t.equal((await admin('POST', '/rollback'))?.status, 200);
  t.equal(await versionThatRan(port), '1');
  const history = await admin('GET', '/rollout/history?last=2');
  t.match(JSON.parse(history?.body.toString() ?? ''), {
    changes: [
      { told: /version 2 is stable now/ },
      { who: 'anonymous', told: /went back from version 2 to version 1/ },
    ],
  });
  t.equal((await ask(server.adminPort, 'GET', '/models/nobody/rollout'))?.status, 404);
});

t.test('a restart changes no side, and keeps loaded what a rollout names', async (t) => {
  const repository = ownRepository(t);
  writeFileSync(
    join(repository, 'versioned/config.pbtxt'),
    // Version 1 would not be loaded without the rollout.
    'version_policy { latest { num_versions: 1 } }\n',
  );
  const rollout = {
    aliases: { stable: '1', canary: '2' },
    split: [
      { to: 'stable', weight: 80 },
      { to: 'canary', weight: 20 },
    ],
  };
  writeFileSync(join(repository, 'versioned/rollout.json'), JSON.stringify(rollout));
  const seen: string[] = [];
  for (let time = 0; time < 2; time += 1) {
    const { server } = await start(t, repository);
    const sides = [];
    for (let user = 0; user < 60; user += 1)
      sides.push(await versionThatRan(server.port, 'versioned', `u${user}`));
    seen.push(sides.join(''));
    await server.stop();
  }
  t.equal(seen[0], seen[1]);
  t.match(seen[0], /1.*2|2.*1/);

  writeFileSync(join(repository, 'versioned/rollout.json'), '{"aliases": {"stable": "1"');
  const { server } = await start(t, repository);
  const reply = await infer(server.port, 'versioned', request(1));
  t.equal(reply.status, 503, 'a file that was never good: nobody guesses');
  t.match(reply.error, /its rollout\.json is not good/);
  t.equal(await versionThatRan(server.port, 'versioned/versions/2'), '2', 'a version that is named serves');
  rmSync(join(repository, 'versioned/rollout.json'));
});

t.test('going forth and back under load fails no request', async (t) => {
  const { server, admin } = await start(t, ownRepository(t));
  await admin('PUT', '/aliases/stable', { version: '1' });
  const counts = new Map<string, number>();
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const version = await versionThatRan(server.port);
      counts.set(version, (counts.get(version) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 4 }, client);
  for (let round = 0; round < 5; round += 1) {
    for (const [method, path, body] of [
      ['PUT', '/aliases/canary', { version: '2' }],
      [
        'PUT',
        '/split',
        {
          arms: [
            { to: 'stable', weight: 50 },
            { to: 'canary', weight: 50 },
          ],
        },
      ],
      ['POST', '/promote', {}],
      ['POST', '/rollback', {}],
    ] as const)
      t.equal((await admin(method, path, body))?.status, 200, path);
    t.equal(await versionThatRan(server.port), '1', 'from the answer on, the next request goes back');
  }
  isOver = true;
  await Promise.all(clients);
  t.same([...counts.keys()].sort(), ['1', '2'], 'every answer came from one of the two');
});
