/** What stands between a loaded version and its traffic: golden answers, warm-up samples, a first run in a child, memory. */
import t, { type Test } from 'tap';
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FirstRun } from '../../src/models/first-run.js';
import type { LoadOrder } from '../../src/models/load-order.js';
import { MemoryAdmission } from '../../src/models/memory-admission.js';
import { ask } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { fp32, infer } from '../support/v2-wire.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));

function copyOf(t: Test, name: string): string {
  const root = join(t.testdir({}), 'models');
  mkdirSync(root);
  cpSync(join(MODELS, name), join(root, name), { recursive: true });
  return root;
}

/** Version 1 of `versioned` answers X + 1, version 2 X + 2. */
function writeGolden(version: string, added: number): void {
  const folder = join(version, 'golden');
  mkdirSync(folder, { recursive: true });
  const tensor = (name: string, values: number[]) => ({
    name,
    datatype: 'FP32',
    shape: [1, 4],
    data: values,
  });
  const x = [1, -2, 0.5, 1000];
  writeFileSync(join(folder, 'one.request.json'), JSON.stringify({ inputs: [tensor('INPUT0', x)] }));
  const outputs = [
    tensor(
      'OUTPUT0',
      x.map((value) => value + added),
    ),
  ];
  writeFileSync(join(folder, 'one.answer.json'), JSON.stringify({ outputs }));
}

async function serving(port: number): Promise<unknown> {
  const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], bytes: fp32(0, 0, 0, 0) }];
  return (await infer(port, 'versioned', { inputs })).head['model_version'];
}

t.test('a version that misses its golden answers is rejected, and the old one goes on serving', async (t) => {
  const root = copyOf(t, 'versioned');
  const two = join(root, 'versioned', '2');
  const aside = join(root, '.aside');
  renameSync(two, aside);
  writeGolden(aside, 7);
  const { server } = await startTestServer(t, root, { modelControl: 'explicit', loadModel: '*' });
  t.equal(await serving(server.port), '1');
  renameSync(aside, two);
  const load = () => ask(server.adminPort, 'POST', '/v2/repository/models/versioned/load');
  const refused = await load();
  t.equal(refused?.status, 400);
  t.match(
    refused?.body.toString(),
    /version 2: golden answers: case \\"one\\": output \\"OUTPUT0\\" \[0, 1\]: expected 5, got 0/,
  );
  t.equal(await serving(server.port), '1');
  t.equal((await ask(server.port, 'GET', '/v2/health/ready'))?.status, 200);
  writeGolden(two, 2);
  t.equal((await load())?.status, 200);
  t.equal(await serving(server.port), '2');
  t.match(server.models().models.get('versioned')?.versions.get('2')?.facts?.golden, { cases: 1 });
});

t.test('warm-up samples run before a version serves; one that cannot run refuses it', async (t) => {
  const root = copyOf(t, 'versioned');
  const directory = join(root, 'versioned');
  rmSync(join(directory, '2'), { recursive: true });
  const outcome = async (input: string) => {
    writeFileSync(
      join(directory, 'config.pbtxt'),
      `max_batch_size: 16 model_warmup { name: "w" batch_size: 3 count: 2 inputs { key: "INPUT0" value { ${input} } } }`,
    );
    const { server } = await startTestServer(t, root);
    const entry = server.models().models.get('versioned')?.versions.get('1');
    const config = await ask(server.port, 'GET', '/v2/models/versioned/config');
    await server.stop();
    return entry?.state === 'READY' ? config?.body.toString() : entry?.reason;
  };
  t.match(
    await outcome('data_type: TYPE_FP32 dims: [ 4 ] random_data: true'),
    /"model_warmup":\[\{"name":"w","batch_size":3,"inputs":\{"INPUT0":\{"data_type":"TYPE_FP32","dims":\[4\],"random_data":true\}\},"count":2\}\]/,
  );
  t.match(await outcome('data_type: TYPE_FP32 dims: [ 5 ] zero_data: true'), /model_warmup "w": /);
  const fromFile = 'data_type: TYPE_FP32 dims: [ 4 ] input_data_file: "x"';
  t.match(await outcome(fromFile), /warmup\/x is not there/);
  mkdirSync(join(directory, 'warmup'));
  writeFileSync(join(directory, 'warmup', 'x'), Buffer.alloc(8));
  t.match(await outcome(fromFile), /expected 16 bytes in warmup\/x, got 8/);
  writeFileSync(join(directory, 'warmup', 'x'), Buffer.alloc(16));
  t.match(await outcome(fromFile), /"input_data_file":"x"/);
});

t.test(
  "the first run in a child: good versions serve, others are refused with the child's reason",
  async (t) => {
    const root = copyOf(t, 'versioned');
    writeFileSync(join(root, 'versioned', '2', 'model.onnx'), 'no model');
    const { server } = await startTestServer(t, root, { verifyInChild: true });
    const versions = server.models().models.get('versioned')?.versions;
    t.equal(versions?.get('1')?.state, 'READY');
    t.match(versions?.get('2')?.reason, /not an ONNX model/);
  },
);

t.test('a child that dies or hangs refuses the version, and nothing else', async (t) => {
  const root = t.testdir({
    'dies.cjs': 'process.on("message", () => process.kill(process.pid, "SIGSEGV"))',
    'leaves.cjs': 'process.exit(3)',
    'hangs.cjs': 'process.on("message", () => undefined)',
  });
  const facts = {
    engine: { onnxruntimePath: undefined, inlineBudgetUs: 100 },
    privateDirectory: undefined,
    needsManifest: false,
  };
  const run = (script: string, limitMs = 60_000) =>
    new FirstRun(join(root, script), facts, limitMs).run({ modelName: 'm' } as LoadOrder);
  await t.rejects(run('dies.cjs'), { code: 'MODEL_INVALID', message: /ended with SIGSEGV/ });
  await t.rejects(run('leaves.cjs'), { code: 'MODEL_INVALID' });
  await t.rejects(run('hangs.cjs', 300), { code: 'MODEL_INVALID', message: /took more than 300 ms/ });
});

t.test('a load that would not fit the memory is refused before it begins', (t) => {
  const memory = new MemoryAdmission(100 * 1024 ** 2, () => 40 * 1024 ** 2);
  const release = memory.reserve(20 * 1024 ** 2);
  t.throws(() => memory.reserve(11 * 1024 ** 2), {
    code: 'MODEL_INVALID',
    message: 'not enough memory: expected to need 22 MiB beside 80 MiB, the limit is 100 MiB',
  });
  release();
  memory.reserve(30 * 1024 ** 2);
  t.end();
});
