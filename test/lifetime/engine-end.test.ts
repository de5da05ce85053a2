/** The end of a version and of an event loop, each in the midst of work: nothing is met half gone, nothing is left behind. */
import t from 'tap';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createEngine } from '../../src/engine/addon-engine.js';
import { findOnnxruntime } from '../../src/engine/onnxruntime.js';
import { ADDONS } from '../support/package.js';

const DIRECTORY = fileURLToPath(new URL('../../build/models/add_sub/1', import.meta.url));
const MODEL = join(DIRECTORY, 'model.onnx');
const LOOP = fileURLToPath(new URL('loop-end.mjs', import.meta.url));
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
