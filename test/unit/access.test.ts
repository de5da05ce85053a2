/** API keys without a socket: what a file may hold, who may do what, rotation, revocation, names and origins. */
import t from 'tap';
import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Access } from '../../src/access/access.js';
import { HostList, listOf } from '../../src/access/hosts.js';
import { hashKey, newKey, parseKeyFile, type KeyEntry, type Scope } from '../../src/access/key-file.js';
import { KeyWatch } from '../../src/access/key-watch.js';
import { admitUpgrade } from '../../src/transport/guard.js';
import { puppetHead } from '../support/puppet-http.js';

// The digest of "abc" from FIPS 180-2.
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

function entry(id: string, key: string, scopes: Scope[], models?: string[]): KeyEntry {
  const sha256 = hashKey(key).toString('hex');
  return models === undefined ? { id, sha256, scopes } : { id, sha256, scopes, models };
}

function bearer(key: string) {
  return puppetHead({ authorization: `Bearer ${key}` });
}

t.test('a key is known by its SHA-256', async (t) => {
  t.equal(hashKey('abc').toString('hex'), ABC);
  t.match(newKey(), /^sluice_[A-Za-z0-9_-]{43}$/);
  t.not(newKey(), newKey());
});

t.test('a wrong file is refused with its place', async (t) => {
  const good = { id: 'a', sha256: ABC, scopes: ['infer'] };
  t.match(parseKeyFile(JSON.stringify({ keys: [good] }), 'k'), [good]);
  t.match(parseKeyFile(`keys:\n- id: a\n  sha256: ${ABC}\n  scopes: [infer, admin]\n`, 'k'), [{ id: 'a' }]);
  for (const [given, expected] of [
    [{}, /^k: keys: expected a list of keys, got nothing$/],
    [{ keys: [{ ...good, sha256: ABC.toUpperCase() }] }, /^k: keys\[0\]\.sha256: expected 64 lower-case/],
    [
      { keys: [{ ...good, scopes: ['inference'] }] },
      /^k: keys\[0\]\.scopes\[0\]: expected one of infer, admin/,
    ],
    [{ keys: [{ ...good, scopes: [] }] }, /^k: keys\[0\]\.scopes: expected at least one scope, got \[\]$/],
    [{ keys: [{ ...good, key: 'abc' }] }, /^k: keys\[0\]: unknown field "key"$/],
    [{ keys: [{ ...good, models: [] }] }, /^k: keys\[0\]\.models: expected at least one model/],
    [{ keys: [good, good] }, /^k: keys\[1\]\.id: "a" is there twice$/],
    [{ keys: [good, { ...good, id: 'b' }] }, /^k: keys\[1\]\.sha256: this key is there twice$/],
  ] as const) {
    t.throws(() => parseKeyFile(JSON.stringify(given), 'k'), { code: 'CONFIG_INVALID', message: expected });
  }
  t.throws(() => parseKeyFile('{"keys": [', 'k'), { code: 'CONFIG_INVALID' }, 'half written');
});

t.test('scopes and models', async (t) => {
  const access = Access.withKeys([
    entry('web', 'key-web', ['infer']),
    entry('ops', 'key-ops', ['admin']),
    entry('scraper', 'key-scraper', ['metrics']),
    entry('one', 'key-one', ['infer', 'admin'], ['digits']),
  ]);
  for (const [key, scope, model, code] of [
    ['key-web', 'infer', 'digits', undefined],
    ['key-web', 'infer', '', undefined],
    ['key-web', 'admin', '', 'FORBIDDEN'],
    ['key-web', 'metrics', '', 'FORBIDDEN'],
    ['key-ops', 'admin', 'digits', undefined],
    ['key-ops', 'metrics', '', undefined],
    ['key-ops', 'infer', 'digits', 'FORBIDDEN'],
    ['key-scraper', 'metrics', '', undefined],
    ['key-scraper', 'admin', '', 'FORBIDDEN'],
    ['key-one', 'infer', 'digits', undefined],
    ['key-one', 'infer', 'other', 'FORBIDDEN'],
    ['key-one', 'admin', '', 'FORBIDDEN'],
    ['key-nobody', 'infer', 'digits', 'UNAUTHORIZED'],
    ['', 'infer', 'digits', 'UNAUTHORIZED'],
    ['x'.repeat(100_000), 'infer', 'digits', 'UNAUTHORIZED'],
  ] as const) {
    for (const head of [bearer(key), puppetHead({ 'x-api-key': key })]) {
      for (let time = 0; time < 2; time += 1)
        t.equal(access.denial(head, scope, model)?.code, code, `${key.slice(0, 20)} ${scope} ${model}`);
    }
  }
  t.equal(access.denial(puppetHead(), 'infer', '')?.code, 'UNAUTHORIZED');
  t.equal(
    access.callerOf(puppetHead({ authorization: 'bearer  key-web' }))?.id,
    'web',
    'case counts for nothing',
  );
  const basic = { authorization: 'Basic abc', 'x-api-key': 'key-web' };
  t.equal(access.callerOf(puppetHead(basic))?.id, 'web', 'a proxy may need the other header for itself');
  for (const wrong of ['key-web', 'Bearer', 'Bearer key-web x', 'Basic key-web', 'Bearerkey-web'])
    t.equal(access.callerOf(puppetHead({ authorization: wrong })), undefined, wrong);
});

t.test('without keys everybody may do everything', async (t) => {
  const access = Access.open();
  t.ok(access.isOpen);
  t.equal(access.denial(puppetHead(), 'admin', 'm'), undefined);
  t.match(access.callerOf(puppetHead()), { id: 'anonymous', isRevoked: false });
  t.notOk(Access.withKeys([]).isOpen, 'a file without keys lets nobody in');
  t.equal(Access.withKeys([]).callerOf(puppetHead()), undefined);
});

t.test('the file is read again; a broken one changes nothing; a key that leaves it is revoked', async (t) => {
  const path = join(t.testdir({}), 'keys.json');
  const lines: string[] = [];
  const write = (...keys: KeyEntry[]) => writeFileSync(path, JSON.stringify({ keys }));
  t.throws(() => new KeyWatch(path, { info: () => {}, error: () => {} }), { code: 'CONFIG_INVALID' });
  const old = entry('old', 'key-old', ['infer']);
  const next = entry('new', 'key-new', ['infer']);
  write(old);
  const watch = new KeyWatch(path, {
    info: (_fields, message) => lines.push(message),
    error: (_fields, message) => lines.push(message),
  });
  t.teardown(() => watch.close());
  const { access } = watch;
  const caller = access.callerOf(bearer('key-old'));

  write(old, next);
  watch.look();
  t.equal(access.callerOf(bearer('key-old')), caller, 'both live at once');
  t.equal(access.callerOf(bearer('key-new'))?.id, 'new');
  watch.look();
  t.equal(lines.length, 1, 'nothing changed, nothing read');

  writeFileSync(path, '{"keys": [{"id": "new", "sha');
  watch.look();
  rmSync(path);
  watch.look();
  t.equal(access.callerOf(bearer('key-new'))?.id, 'new', 'half written or gone: the last good keys stay');
  t.match(lines.slice(1), [/not good.*keys\.json/, /not good.*cannot be read/]);

  writeFileSync(`${path}.new`, JSON.stringify({ keys: [next] }));
  renameSync(`${path}.new`, path);
  watch.look();
  t.equal(access.callerOf(bearer('key-old')), undefined);
  t.equal(caller?.isRevoked, true);
  t.equal(caller?.may('infer', 'm'), false, 'a connection that is still open is let no more');

  const before = access.callerOf(bearer('key-new'));
  write(entry('new', 'key-new', ['admin']));
  watch.look();
  t.equal(before?.isRevoked, true, 'other rights: whoever came in with the old ones must come again');
  t.equal(access.denial(bearer('key-new'), 'infer', '')?.code, 'FORBIDDEN');
  appendFileSync(path, '\n');
  watch.look();
  t.equal(access.denial(bearer('key-new'), 'admin', ''), undefined);
});

t.test('names that point here by the will of others are refused', async (t) => {
  const hosts = new HostList(['0.0.0.0', 'Models.Example', ...listOf(' a.example , b.example')]);
  for (const good of [
    '',
    'localhost',
    'LOCALHOST:8002',
    'localhost.:1',
    '127.0.0.1:8002',
    '10.0.0.7',
    '[::1]:8002',
    'models.example:80',
    'b.example',
  ])
    t.ok(hosts.allows(good), good);
  for (const bad of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:8002',
    '[evil]',
    'a.example@x',
  ])
    t.notOk(hosts.allows(bad), bad);
});

t.test('an upgrade needs a key where there are keys', async (t) => {
  const access = Access.withKeys([entry('web', 'key-web', ['infer'])]);
  t.match(admitUpgrade(access, puppetHead({}, 'GET')), { refusal: { status: 401 } });
  t.match(admitUpgrade(access, puppetHead({ 'x-api-key': 'key-wrong' }, 'GET')), {
    refusal: { status: 401 },
  });
  t.match(admitUpgrade(access, puppetHead({ 'x-api-key': 'key-web' }, 'GET')), { caller: { id: 'web' } });
  t.match(admitUpgrade(Access.open(), puppetHead({}, 'GET')), { caller: { id: 'anonymous' } });
});
