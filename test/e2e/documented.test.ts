/**
 * What docs/ and deploy/ name, held to a server in which everything is there to be named: metrics with their types, the
 * routes of the admin listener, and the metrics, labels and values that alerts and the board ask for.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { readSettings } from '../../src/config.js';
import { startServer } from '../../src/server.js';
import { readExposition, type ReadFamily } from '../support/exposition.js';
import { ask } from '../support/raw-http.js';
import { PARTS } from '../support/running.js';
import { fp32, infer, int64 } from '../support/v2-wire.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));
const ROLLOUT = {
  aliases: { stable: '1', canary: '2' },
  split: [
    { to: 'stable', weight: 50 },
    { to: 'canary', weight: 50 },
  ],
  shadow: [{ version: '2', of: '1' }],
};
const PLAN = { candidate: '2', baseline: '1', steps: [{ weight: 10 }], limits: { errorRate: 0.1 } };
/** What Prometheus itself adds. */
const LABELS_OF_PROMETHEUS = ['instance', 'job', 'le'];

function textOf(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** Cells of the rows of the table that begins with `head`. */
function tableIn(text: string, head: string): string[][] {
  const lines = text
    .slice(text.indexOf(`\n| ${head} |`))
    .split('\n')
    .slice(3);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end).map((line) => line.split('|').slice(1, -1));
}

function codesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** Two models with everything that a rollout may have, one with padding, one that is rejected. */
async function start(t: Test) {
  const repository = join(t.testdir({}), 'models');
  for (const name of ['split', 'planned'])
    cpSync(join(MODELS, 'versioned'), join(repository, name), { recursive: true });
  cpSync(join(MODELS, 'tokens'), join(repository, 'tokens'), { recursive: true });
  mkdirSync(join(repository, 'broken', '1'), { recursive: true });
  writeFileSync(join(repository, 'broken', '1', 'model.onnx'), 'no model');
  writeFileSync(join(repository, 'split', 'rollout.json'), JSON.stringify(ROLLOUT));
  const log = { level: 'silent', info: () => undefined, warn: () => undefined, error: () => undefined };
  const server = await startServer(readSettings({ repository, port: 0, adminPort: 0 }, {}), log, PARTS);
  t.teardown(() => server.stop());
  const admin = async (method: string, path: string, body?: object) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const reply = await ask(server.adminPort, method, path, text, { 'content-type': 'application/json' });
    t.equal(reply?.status, 200, `${method} ${path}`);
    return reply?.body.toString() ?? '';
  };
  await admin('PUT', '/models/planned/rollout', { aliases: { stable: '1' }, plan: PLAN });
  await admin('POST', '/models/planned/plan/hold', {});
  const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], bytes: fp32(1, 2, 3, 4) }];
  t.equal((await infer(server.port, 'split/versions/1', { inputs })).status, 200);
  t.equal((await infer(server.port, 'nobody', { inputs })).status, 404);
  t.equal((await infer(server.port, 'tokens', { inputs })).status, 400);
  const ids = { name: 'input_ids', datatype: 'INT64', shape: [1, 3], bytes: int64(1n, 2n, 3n) };
  t.equal((await infer(server.port, 'tokens', { inputs: [ids] })).status, 200);
  // Metrics of outputs are there once an answer was compared.
  for (let looks = 0; looks < 2000 && !/"compared":[1-9]/.test(await admin('GET', '/shadow/split'));)
    looks += 1;
  return admin;
}

t.test('docs, alerts and board', async (t) => {
  const admin = await start(t);
  const families = readExposition(await admin('GET', '/metrics'), 'prometheus');

  t.test('docs/metrics.md lists every metric with its type, and no other', async (t) => {
    const listed = tableIn(textOf('docs/metrics.md'), 'name | type').flatMap(([names = '', type = '']) =>
      codesIn(names).map((name) => `${name} ${type.trim()}`),
    );
    const shown = [...families.values()].map(({ name, type }) => `${name} ${type}`);
    t.same(
      listed.filter((line) => line.startsWith('sluice_')).sort(),
      shown.filter((line) => line.startsWith('sluice_')).sort(),
    );
  });

  t.test('docs/admin-api.md lists every route, and no other', async (t) => {
    const { paths } = JSON.parse(await admin('GET', '/openapi.json')) as { paths: Record<string, object> };
    const listed = tableIn(textOf('docs/admin-api.md'), 'route').flatMap(([cell = '']) =>
      codesIn(cell).flatMap((code) => {
        const [methods = '', path] = code.split(' ');
        return methods.split(',').map((method) => `${method} ${path}`);
      }),
    );
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    t.same(listed.sort(), served.sort());
  });

  const board = JSON.parse(textOf('deploy/grafana-dashboard.json')) as {
    panels: Array<{ targets: Array<{ expr: string }> }>;
  };
  const rules = textOf('deploy/prometheus-rules.yaml');
  const asked = {
    'docs/metrics.md': [...textOf('docs/metrics.md').matchAll(/```\n(# p99[^]*?)```/g)].flatMap(
      ([, text = '']) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    ),
    'deploy/grafana-dashboard.json': board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    'deploy/prometheus-rules.yaml': rules
      .split(/- alert:/)
      .slice(1)
      .map((rule) => /expr:(?: >)?([^]*?)\n {8}(?:for|labels):/.exec(rule)?.[1] ?? ''),
  };
  for (const [file, expressions] of Object.entries(asked)) {
    t.test(`${file} asks for what is there`, async (t) => {
      t.ok(expressions.length >= 5, `${expressions.length} expressions`);
      for (const expression of expressions) t.same(missingIn(expression, families), [], expression);
    });
  }

  t.test(
    'promtool takes the alerts',
    { skip: spawnSync('promtool', ['--version']).status === 0 ? false : 'promtool is not here' },
    async (t) => {
      const path = fileURLToPath(new URL('../../deploy/prometheus-rules.yaml', import.meta.url));
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', path], {
        encoding: 'utf8',
      });
      t.equal(status, 0, stdout + stderr);
    },
  );
});

t.test('what an expression asks for and nobody shows is found', async (t) => {
  const text = '# HELP sluice_a_total x\n# TYPE sluice_a_total counter\nsluice_a_total{of="b"} 1\n';
  const families = readExposition(text, 'prometheus');
  t.same(missingIn('sum by (of) (rate(sluice_a_total{of="b"}[5m]))', families), []);
  t.same(missingIn('sum by (off) (rate(sluice_a_total{of="c", on=~"b|c"}[5m])) / sluice_b > 0', families), [
    'label off',
    'metric sluice_b',
    'sluice_a_total{of="c"}',
    'sluice_a_total{on=~"b|c"}',
  ]);
});

/** Metrics, labels and values of labels that nothing in `families` has. */
function missingIn(expression: string, families: ReadonlyMap<string, ReadFamily>): string[] {
  const missing = new Set<string>();
  const labels = new Set(LABELS_OF_PROMETHEUS);
  for (const [, name = '', selector = ''] of expression.matchAll(
    /\b((?:sluice|process|nodejs)_\w+)(?:\{([^}]*)\})?/g,
  )) {
    const samples = (families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, '')))?.samples;
    if (samples === undefined) missing.add(`metric ${name}`);
    for (const label of (samples ?? []).flatMap((sample) => Object.keys(sample.labels))) labels.add(label);
    for (const [whole, label = '', value = ''] of selector.matchAll(/(\w+)=~?"([^"]*)"/g)) {
      const known = (samples ?? []).map((sample) => sample.labels[label]);
      const isKnown = value.startsWith('$')
        ? known.some((other) => other !== undefined)
        : value.split('|').every((each) => known.includes(each));
      if (!isKnown && !LABELS_OF_PROMETHEUS.includes(label)) missing.add(`${name}{${whole}}`);
    }
  }
  for (const [, list = ''] of expression.matchAll(/\bby \(([^)]*)\)/g))
    for (const label of list.split(/,\s*/)) if (!labels.has(label)) missing.add(`label ${label}`);
  return [...missing].sort();
}
