/** Settings: which source wins, and how a wrong setting is named. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  flagName,
  isLoopback,
  readSettings,
  SETTING_NAMES,
  settingFacts,
  variableName,
} from '../../src/config.js';

const REPOSITORY = { repository: 'models' };

t.test('without anything else the defaults hold', (t) => {
  t.same(readSettings(REPOSITORY, {}), {
    repository: 'models',
    host: '127.0.0.1',
    port: 8000,
    adminHost: '127.0.0.1',
    adminPort: 8002,
    logLevel: 'info',
    allowAnonymous: false,
    jsonBodyBytes: 16_777_216,
    binaryBodyBytes: 67_108_864,
    wsMessageBytes: 16_777_216,
    wsInFlight: 64,
    wsUnreadBytes: 1_048_576,
    wsIdleSeconds: 30,
    wsLifetimeMinutes: 240,
    wsSockets: 20_000,
    transport: 'auto',
    drainMs: 25_000,
    hardStopMs: 30_000,
    defaultDeadlineMs: 30_000,
    inlineBudgetUs: 100,
    hungLoopExitMs: 30_000,
    accessLogPercent: 0,
    accessLogSlowMs: 0,
    accessLogErrors: false,
    requestIds: false,
    serverTiming: 'off',
    tracing: false,
    tritonMetrics: false,
    examplePage: false,
    strictReadiness: true,
    modelControl: 'none',
    loadModel: '',
    pollIntervalMs: 15_000,
    parallelLoads: 2,
    strict: false,
    verifyInChild: false,
    verifyTimeoutMs: 120_000,
  });
  t.end();
});

t.test('a flag beats a variable, a variable beats the file, the file beats the default', (t) => {
  const root = t.testdir({
    'sluice.yaml':
      'port: 1000\nadminPort: 1001\nworkers: 3 # three\nrepository: ./models\njsonBodyBytes: 2MiB\n' +
      'keys: keys.json\nonnxruntime: ort\nprivateDirectory: private\nlogLevel: info\n',
  });
  const environment = {
    SLUICE_CONFIG: join(root, 'sluice.yaml'),
    SLUICE_PORT: '2000',
    SLUICE_ADMIN_PORT: '2001',
  };
  const settings = readSettings({ port: '3000' }, environment);
  t.match(settings, { port: 3000, adminPort: 2001, workers: 3, jsonBodyBytes: 2_097_152, logLevel: 'info' });
  t.match(
    settings,
    {
      repository: join(root, 'models'),
      keys: join(root, 'keys.json'),
      onnxruntime: join(root, 'ort'),
      privateDirectory: join(root, 'private'),
    },
    'a path in the file counts from the file',
  );
  t.end();
});

t.test('JSON is a settings file too; an empty one and an empty variable say nothing', (t) => {
  const root = t.testdir({ 'a.json': '{"host": "localhost", "strictReadiness": false}', 'b.yaml': '' });
  t.match(readSettings({ ...REPOSITORY, config: join(root, 'a.json') }, {}), {
    host: 'localhost',
    strictReadiness: false,
  });
  t.equal(readSettings({ ...REPOSITORY, config: join(root, 'b.yaml') }, { SLUICE_PORT: '' }).port, 8000);
  t.end();
});

t.test('switches and sizes as text', (t) => {
  const environment = {
    SLUICE_ALLOW_ANONYMOUS: '1',
    SLUICE_STRICT_READINESS: 'False',
    SLUICE_HOST: '0.0.0.0',
    SLUICE_BINARY_BODY_BYTES: '1GiB',
  };
  t.match(readSettings(REPOSITORY, environment), {
    allowAnonymous: true,
    strictReadiness: false,
    host: '0.0.0.0',
    binaryBodyBytes: 2 ** 30,
  });
  t.end();
});

t.test('variables that Kubernetes or other tools set are not ours', (t) => {
  const environment = {
    SLUICE_PORT: 'tcp://10.0.0.7:8000',
    SLUICE_SERVICE_PORT: '80',
    SLUICE_PORT_8000_TCP: 'x',
    SLUICE_ADDON: 'x',
    SLUICE_ONNXRUNTIME_INCLUDE: 'x',
  };
  t.equal(readSettings(REPOSITORY, environment).port, 8000);
  t.end();
});

const REFUSED: Array<
  [situation: string, flags: Record<string, unknown>, environment: NodeJS.ProcessEnv, message: RegExp]
> = [
  ['no repository', {}, {}, /^repository: expected the path of a model repository/],
  [
    'a port that is none',
    { ...REPOSITORY, port: 'http' },
    {},
    /^port \(--port\): expected a whole number from 0 to 65535, got "http"/,
  ],
  [
    'a port too high',
    REPOSITORY,
    { SLUICE_ADMIN_PORT: '65536' },
    /^adminPort \(SLUICE_ADMIN_PORT\): .*got 65536/,
  ],
  ['a negative number', { ...REPOSITORY, workers: '0' }, {}, /^workers \(--workers\): /],
  [
    'a word that is none of the words',
    { ...REPOSITORY, transport: 'http3' },
    {},
    /^transport \(--transport\): expected one of auto, uws, node, got "http3"/,
  ],
  [
    'a switch that is neither',
    REPOSITORY,
    { SLUICE_ALLOW_ANONYMOUS: 'maybe' },
    /expected true or false, got "maybe"/,
  ],
  [
    'a misspelt variable',
    REPOSITORY,
    { SLUICE_PROT: '1' },
    /unknown variable SLUICE_PROT \(did you mean SLUICE_PORT\?\)/,
  ],
  [
    'an open address',
    { ...REPOSITORY, host: '0.0.0.0' },
    {},
    /^host 0\.0\.0\.0: .*--keys.*--allow-anonymous/,
  ],
  [
    'an open admin address',
    { ...REPOSITORY, host: '0.0.0.0', adminHost: '0.0.0.0', allowAnonymous: true },
    {},
    /^adminHost 0\.0\.0\.0: .*--keys/,
  ],
  ['keys for nobody', { ...REPOSITORY, keys: 'k', allowAnonymous: true }, {}, /^allowAnonymous: /],
  [
    'one port for both',
    { ...REPOSITORY, port: '9', adminPort: '9' },
    {},
    /^adminPort: expected another port/,
  ],
  [
    'a hard stop before the drain',
    { ...REPOSITORY, hardStopMs: '10' },
    {},
    /^hardStopMs: expected at least drainMs/,
  ],
];

for (const [situation, flags, environment, message] of REFUSED) {
  t.test(`refused: ${situation}`, (t) => {
    t.throws(() => readSettings(flags, environment), { code: 'CONFIG_INVALID', message });
    t.end();
  });
}

t.test('a wrong settings file is refused with its line', (t) => {
  const root = t.testdir({
    'key.yaml': 'port: 1\nadminport: 2\n',
    'type.yaml': '\nport: [1]\n',
    'broken.yaml': 'port: {',
    'list.yaml': '- 1',
    'twice.yaml': 'port: 1\nport: 2',
  });
  const read = (name: string) => () => readSettings({ ...REPOSITORY, config: join(root, name) }, {});
  t.throws(read('key.yaml'), {
    message: /key\.yaml line 2: unknown setting "adminport" \(did you mean "adminPort"/,
  });
  t.throws(read('type.yaml'), {
    message: /^port \(settings file .*type\.yaml line 2\): expected a whole number/,
  });
  t.throws(read('broken.yaml'), { message: /broken\.yaml: .*line 1/ });
  t.throws(read('list.yaml'), { message: /expected settings as "name: value"/ });
  t.throws(read('twice.yaml'), { message: /twice\.yaml: .*unique/ });
  t.throws(read('absent.yaml'), { message: /absent\.yaml: cannot be read/ });
  t.end();
});

t.test('loopback is 127.0.0.0/8, ::1 and localhost, and nothing that only looks like it', (t) => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost']) t.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org', 'localhost.example.org'])
    t.notOk(isLoopback(host), host);
  t.end();
});

t.test('every setting has a help text and a variable of its own', (t) => {
  for (const name of SETTING_NAMES) t.not(settingFacts(name).help, '', name);
  t.equal(new Set(SETTING_NAMES.map(variableName)).size, SETTING_NAMES.length);
  t.equal(variableName('jsonBodyBytes'), 'SLUICE_JSON_BODY_BYTES');
  t.end();
});

t.test('docs/configuration.md has every setting with its flag, its variable and its default', (t) => {
  const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const [, table = ''] = /^\| setting .*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(text) ?? [];
  const rows = table
    .trim()
    .split('\n')
    .map((line) => line.split('|').slice(1, 5))
    .map((cells) => cells.map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')));
  const expected = SETTING_NAMES.map((name) => {
    const { kind, defaultValue } = settingFacts(name);
    const flag = `--${kind === 'switch' && defaultValue === true ? 'no-' : ''}${flagName(name)}`;
    const isSize = name.endsWith('Bytes') && defaultValue !== undefined;
    const shown = isSize ? `${Number(defaultValue) / 1024 ** 2} MiB` : String(defaultValue ?? '');
    return [
      name,
      name === 'repository' ? 'first argument' : flag,
      variableName(name),
      name === 'workers' ? 'CPUs - 1' : shown,
    ];
  });
  t.same(rows.sort(), expected.sort());
  t.end();
});
