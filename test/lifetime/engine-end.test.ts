/**
 * The end of a version, of an event loop and of a call for an answer, each in the midst of work: nothing is met half gone,
 * nothing is left behind.
 */
import t from 'tap';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ServePlan } from '../../src/core/model.js';
import { createEngine } from '../../src/engine/addon-engine.js';
import { findOnnxruntime } from '../../src/engine/onnxruntime.js';
import { ADDONS, PACKAGE } from '../support/package.js';

const DIRECTORY = fileURLToPath(new URL('../../build/models/add_sub/1', import.meta.url));
const IDENTITY = fileURLToPath(new URL('../../build/models/identity_fp32', import.meta.url));
const MODEL = join(DIRECTORY, 'model.onnx');
const LOOP = fileURLToPath(new URL('loop-end.mjs', import.meta.url));
const SINKS = fileURLToPath(new URL('throwing-sinks.mjs', import.meta.url));
const ENGINE = join(PACKAGE, 'dist/engine/addon-engine.js');
const ADDON = join(ADDONS, 'sluice_faulty.node');

t.test('a version that is closed is not found any more from that moment on', async (t) => {
  const engine = createEngine({ addonPath: ADDON, workers: 1 });
  const opened = await engine.open({ path: MODEL, directory: DIRECTORY, privateDirectory: '/nowhere' });
  t.equal(engine.stats(opened.handle).inFlight, 0);
  const closed = engine.close(opened.handle);
  t.throws(() => engine.stats(opened.handle), /no open model/);
  await closed;
  await t.rejects(engine.close(opened.handle), /no open model/);
  await engine.shutdown();
});

t.test('an engine refuses with its own reason what it does not even ask the addon for', async (t) => {
  const engine = createEngine({ addonPath: ADDON, workers: 1 });
  const options = { path: MODEL, directory: DIRECTORY, privateDirectory: '/nowhere' };
  await t.rejects(engine.open({ ...options, intraOpCpus: [1_000_000] }), { code: 'CONFIG_INVALID' });
  await engine.shutdown();
  await t.rejects(engine.open(options), { code: 'DRAINING' });
});

t.test('a body for which there is no memory takes no number', async (t) => {
  const engine = createEngine({ addonPath: ADDON, workers: 1 });
  t.throws(() => engine.bodyOpen(1e15));
  t.equal(engine.bodyOpen(0), 0);
  await engine.shutdown();
});

t.test('an event loop that ends takes its work with it and nobody else', async (t) => {
  const workerData = { addonPath: ADDON, onnxruntimePath: findOnnxruntime(), model: MODEL };
  const [code] = (await once(new Worker(LOOP, { workerData }), 'exit')) as [number];
  t.equal(code, 7);
  // Had the other engine not ended, this would be the same one, with its single worker.
  const engine = createEngine({ addonPath: ADDON, workers: 3 });
  t.equal(engine.info().workers, 3);
  await engine.shutdown();
});

interface Delivery {
  readonly bytes: Uint8Array;
  readonly headLength: number;
  readonly release: (() => void) | undefined;
}

t.test('a long reply goes back once it is delivered, or released by whoever keeps it', async (t) => {
  const engine = createEngine({ addonPath: ADDON, workers: 1 });
  const directory = join(IDENTITY, '1');
  const path = join(directory, 'model.onnx');
  const opened = await engine.open({ path, directory, privateDirectory: '/nowhere' });
  const planned = ({ name, datatype }: { name: string; datatype: string }) =>
    ({ name, datatype, dims: [-1], modelDims: [-1] }) as ServePlan['inputs'][number];
  const plan: Partial<ServePlan> = {
    modelName: 'identity_fp32',
    versionName: '1',
    maxBatchRows: 1,
    inputs: opened.inputs.map(planned),
    outputs: opened.outputs.map(planned),
    isBatching: true,
    execution: 'worker',
  };
  await engine.start(opened.handle, plan as ServePlan);
  // A request under way keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const values = Float32Array.from({ length: 500_000 }, (_, at) => at / 8);
  for (const keeps of [false, true]) {
    const delivered = new Promise<Delivery>((resolve) => {
      const sink = {
        delivered: (status: number, bytes: Uint8Array, headLength: number) => {
          t.equal(status, 0);
          t.equal(bytes.byteLength - headLength, values.byteLength);
          resolve({ bytes, headLength, release: keeps ? engine.keepDelivered() : undefined });
        },
      };
      t.ok(engine.submit(opened.handle, 0, values.buffer.slice(0), 0, 0, sink) >= 0, engine.lastErrorText());
    });
    const { bytes, headLength, release } = await delivered;
    if (keeps) t.same(new Float32Array(bytes.slice(headLength).buffer), values);
    release?.();
    t.equal(bytes.byteLength, 0);
    t.equal(bytes.buffer.byteLength, 0);
  }
  await engine.close(opened.handle);
  await engine.shutdown();
});

for (const execution of ['inline', 'worker']) {
  t.test(`whoever throws at an answer takes it from nobody else: ${execution}`, async (t) => {
    const workerData = {
      enginePath: ENGINE,
      addonPath: ADDON,
      model: MODEL,
      directory: DIRECTORY,
      execution,
    };
    const worker = new Worker(SINKS, { workerData });
    let told: { delivered: number[][]; uncaught: string[] } | undefined;
    worker.on('message', (message: typeof told) => (told = message));
    await once(worker, 'exit');
    t.same(
      told?.delivered.sort(([a = 0], [b = 0]) => a - b),
      [
        [1, 0],
        [2, 0],
        [3, 0],
      ],
    );
    t.same(told?.uncaught.sort(), ['sink 2', 'the listener']);
  });
}
