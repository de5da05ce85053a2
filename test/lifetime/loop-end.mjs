// What an event loop leaves behind that ends in the midst of its work: a run under way, requests that wait for it, and a
// model that is loaded meanwhile. Runs in a worker thread, straight over the addon.
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';

const { addonPath, onnxruntimePath, model } = workerData;
const SLOW = -1004;
const WIDTH = 16;
const WAITING = 30;

const addon = createRequire(import.meta.url)(addonPath);
addon.openEngine(
  {
    onnxruntimePath,
    workers: 1,
    workerCpus: [],
    inlineBudgetUs: 0,
    loopRestUs: 0,
    defaultDeadlineMs: 60_000,
    hungLoopExitMs: 0,
  },
  () => addon.drain(),
);
const keepAlive = setInterval(() => undefined, 1000);
const opening = {
  path: model,
  directory: model.slice(0, model.lastIndexOf('/')),
  privateDirectory: '/nowhere',
};
const opened = await addon.openModel(opening);
const planned = ({ name, datatype, shape }) => ({
  name,
  datatype,
  dims: shape.slice(1),
  modelDims: shape.slice(1),
});
const plan = {
  modelName: 'add_sub',
  versionName: '1',
  maxBatchRows: 1,
  inputs: opened.inputs.map(planned),
  outputs: opened.outputs.map(planned),
  isBatching: false,
  execution: 'worker',
};
await addon.startModel(opened.handle, plan, 0);

const row = [SLOW, 1000, ...Array.from({ length: WIDTH - 2 }, () => 0)];
const inputs = opened.inputs.map(({ name }) => ({ name, datatype: 'FP32', shape: [1, WIDTH], data: row }));
const body = new TextEncoder().encode(JSON.stringify({ inputs }));
for (let i = 0; i < WAITING; i += 1) {
  if (addon.submit(opened.handle, -1, body.buffer, 0, 0) < 0) throw new Error(addon.lastErrorText());
}
addon.flush(0);
void addon.openModel(opening);
clearInterval(keepAlive);
process.exit(7);
