/**
 * The repository of somebody who comes from Triton: what is an ONNX model serves with right answers; everything else is
 * refused by name, with the line and column of its file, alike in the log, the index and `sluice validate`.
 */
import t, { type Test } from 'tap';
import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN } from '../support/package.js';
import { ask } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { REFUSED, SERVED, writeTritonRepository } from '../support/triton-repository.js';
import { fp32, infer } from '../support/v2-wire.js';

const NO_ENGINE = 'expected model.onnx in the folder of version 1, got model.plan';

function repository(t: Test): string {
  const root = join(t.testdir({}), 'models');
  writeTritonRepository(root);
  return root;
}

function row(name: string, ...values: number[]) {
  return { name, datatype: 'FP32', shape: [1, values.length], bytes: fp32(...values) };
}

interface IndexRow {
  readonly name: string;
  readonly version?: string;
  readonly state?: string;
  readonly reason?: string;
}

t.test('ONNX models serve with right answers, the rest is refused where its file says why', async (t) => {
  const { server, lines } = await startTestServer(t, repository(t), { strictReadiness: false });
  const { port } = server;
  const sixteen = Array.from({ length: 16 }, (_, i) => i);
  const odd = await infer(port, 'odd', {
    inputs: [row('INPUT0', ...sixteen), row('INPUT1', ...sixteen.map((x) => 2 * x))],
    more: '"parameters":{"binary_data_output":true}',
  });
  t.same(
    odd.outputs.map(({ name, bytes }) => [name, bytes]),
    [['OUTPUT1', fp32(...sixteen.map((x) => 0 - x))]],
  );
  for (const [path, version, shape] of [
    ['all_versions', 2, [1, 4]],
    ['all_versions/versions/1', 1, [1, 4]],
    ['one_version', 1, [1, 2, 2]],
    ['tuned', 2, [1, 4]],
  ] as const) {
    const answer = await infer(port, path, { inputs: [row('INPUT0', 1, 2, 3, 4)] });
    t.equal(answer.head['model_version'], String(version), path);
    t.same(answer.outputs[0]?.shape, shape);
    t.same(
      answer.outputs[0]?.data?.map(Number),
      [1, 2, 3, 4].map((x) => x + version),
    );
  }
  const scalar = await infer(port, 'scalars', {
    inputs: [{ name: 'X', datatype: 'FP32', shape: [1], bytes: fp32(41) }],
  });
  t.same(scalar.outputs[0]?.data?.map(Number), [42]);

  const index = JSON.parse(
    (await ask(server.adminPort, 'POST', '/v2/repository/index'))?.body.toString() ?? '',
  ) as IndexRow[];
  const ready = index.filter(({ state }) => state === 'READY').map(({ name }) => name);
  t.same([...new Set(ready)].sort(), Object.keys(SERVED).sort());
  for (const [name, { reason }] of Object.entries(REFUSED)) {
    const found = index.filter((other) => other.name === name);
    t.ok(found.length > 0 && found.every(({ state }) => state === 'UNAVAILABLE'), name);
    t.ok(
      found.every((other) => other.reason?.startsWith(reason)),
      `${name}: ${found[0]?.reason}`,
    );
    const logged = lines.filter(
      ({ level, fields }) => level === 'error' && 'model' in fields && fields.model === name,
    );
    t.ok(logged.length > 0 && logged.every(({ message }) => message.includes(reason)), `${name} in the log`);
  }
  t.equal(index.find(({ name }) => name === 'plain_engine')?.reason, NO_ENGINE);
  const warned = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  for (const place of [
    'line 9 column 15: parameters["note"]',
    'line 4 column 18: response_cache.enable',
    'line 4 column 87: output[0].label_filename',
    'line 5 column 27: instance_group[0].rate_limiter',
    'line 6 column 1: metric_tags',
    'line 7 column 1: model_metrics',
    'line 8 column 1: cc_model_filenames',
    'line 8 column 3: optimization.execution_accelerators',
  ])
    t.equal(warned.filter((message) => message.includes(place)).length, 1, place);
});

t.test('sluice validate tells the same, and its exit code says that something would not serve', async (t) => {
  if (!existsSync(MAIN)) throw new Error('expected dist: build it first');
  const root = repository(t);
  const validate = () =>
    new Promise<{ code: unknown; versions: Array<Record<string, unknown>> }>((resolve) => {
      execFile(process.execPath, [MAIN, 'validate', root, '--json'], (error, stdout) => {
        const { versions } = JSON.parse(stdout) as { versions: Array<Record<string, unknown>> };
        resolve({ code: error?.code ?? 0, versions });
      });
    });
  const all = await validate();
  t.equal(all.code, 3);
  const bad = all.versions.filter(({ isGood }) => isGood !== true);
  t.same(
    [...new Set(bad.map(({ model }) => model))].sort(),
    [...Object.keys(REFUSED), 'plain_engine'].sort(),
  );
  for (const { model, reason } of bad)
    t.ok(
      String(reason).startsWith(REFUSED[String(model)]?.reason ?? NO_ENGINE),
      `${String(model)}: ${String(reason)}`,
    );
  for (const name of [...Object.keys(REFUSED), 'plain_engine']) rmSync(join(root, name), { recursive: true });
  t.equal((await validate()).code, 0);
});
