// Three requests of one tick, where the sink of the second throws, and so does what listens for the end of a delivery. Runs in
// a worker thread, which tells what was delivered and what came up as uncaught.
import { parentPort, workerData } from 'node:worker_threads';

const { enginePath, addonPath, model, directory, execution } = workerData;
const WIDTH = 16;
const uncaught = [];
process.on('uncaughtException', (cause) => uncaught.push(cause.message));

const { createEngine } = await import(enginePath);
const engine = createEngine({ addonPath, workers: 1 });
const opened = await engine.open({ path: model, directory, privateDirectory: '/nowhere' });
const planned = ({ name, datatype, shape }) => ({
  name,
  datatype,
  dims: shape.slice(1),
  modelDims: shape.slice(1),
});
await engine.start(opened.handle, {
  modelName: 'add_sub',
  versionName: '1',
  maxBatchRows: 8,
  inputs: opened.inputs.map(planned),
  outputs: opened.outputs.map(planned),
  isBatching: true,
  execution,
});
engine.onDelivered(() => {
  engine.onDelivered(() => undefined);
  throw new Error('the listener');
});

const data = Array.from({ length: WIDTH }, () => 1);
const inputs = opened.inputs.map(({ name }) => ({ name, datatype: 'FP32', shape: [1, WIDTH], data }));
const body = new TextEncoder().encode(JSON.stringify({ inputs })).buffer;
const delivered = [];
for (const number of [1, 2, 3]) {
  const answered = (status) => {
    delivered.push([number, status]);
    if (number === 2) throw new Error('sink 2');
  };
  if (engine.submit(opened.handle, -1, body, 0, 0, { delivered: answered }) < 0)
    throw new Error(engine.lastErrorText());
}
// Nobody else keeps the loop alive. Counted in looks: time in which the whole process is stopped is nobody's.
let looks = 0;
const patience = setInterval(() => {
  looks += 1;
  if (looks === 200) process.exit(1);
}, 100);
await engine.shutdown();
clearInterval(patience);
parentPort.postMessage({ delivered, uncaught });
