/**
 * The end of a version, of an event loop and of a call for an answer, each in the midst of work: nothing is met half gone,
 * nothing is left behind.
 */
import t from 'tap';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createEngine } from '../../src/engine/addon-engine.js';
import { findOnnxruntime } from '../../src/engine/onnxruntime.js';
import { ADDONS, PACKAGE } from '../support/package.js';

const DIRECTORY = fileURLToPath(new URL('../../build/models/add_sub/1', import.meta.url));
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
