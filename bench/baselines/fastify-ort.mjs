/**
 * What an engineer would write in an afternoon, done decently: fastify and onnxruntime-node, one session per model, V2 JSON
 * and binary bodies for models with one FP32 input and one FP32 output. No logging, no batching, no copies that it can avoid.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import ort from 'onnxruntime-node';

const { values, positionals } = parseArgs({
  options: { port: { type: 'string', default: '0' }, models: { type: 'string', default: 'tiny,mid' } },
  allowPositionals: true,
});
const repository = positionals[0];

const sessions = new Map();
for (const name of values.models.split(',')) {
  if (!readdirSync(repository).includes(name)) continue;
  const session = await ort.InferenceSession.create(join(repository, name, '1', 'model.onnx'), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  sessions.set(name, {
    name,
    session,
    inputName: session.inputNames[0],
    outputName: session.outputNames[0],
  });
}

function floatsOf(buffer, offset) {
  const at = buffer.byteOffset + offset;
  const count = (buffer.byteLength - offset) >> 2;
  if (at % 4 === 0) return new Float32Array(buffer.buffer, at, count);
  return new Float32Array(buffer.buffer.slice(at, at + count * 4));
}

async function run(model, floats, shape) {
  const feeds = { [model.inputName]: new ort.Tensor('float32', floats, shape) };
  return (await model.session.run(feeds))[model.outputName];
}

function sendBinary(reply, model, output) {
  const bytes = Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength);
  const head = Buffer.from(
    JSON.stringify({
      model_name: model.name,
      model_version: '1',
      outputs: [
        {
          name: model.outputName,
          datatype: 'FP32',
          shape: output.dims,
          parameters: { binary_data_size: bytes.length },
        },
      ],
    }),
  );
  return reply
    .header('content-type', 'application/octet-stream')
    .header('inference-header-content-length', head.length)
    .send(Buffer.concat([head, bytes]));
}

function sendJson(reply, model, output) {
  const tensor = {
    name: model.outputName,
    datatype: 'FP32',
    shape: output.dims,
    data: Array.from(output.data),
  };
  return reply
    .header('content-type', 'application/json')
    .send(JSON.stringify({ model_name: model.name, model_version: '1', outputs: [tensor] }));
}

async function infer(request, reply) {
  const model = sessions.get(request.params.model);
  if (model === undefined)
    return reply.code(404).send({ error: `no model is called ${request.params.model}` });
  const headText = request.headers['inference-header-content-length'];
  if (headText === undefined) {
    const [input] = request.body.inputs;
    return sendJson(reply, model, await run(model, Float32Array.from(input.data), input.shape));
  }
  const headLength = Number(headText);
  const floats = floatsOf(request.body, headLength);
  const head = headLength === 0 ? null : JSON.parse(request.body.toString('utf8', 0, headLength));
  const shape = head?.inputs[0].shape ?? [1, floats.length];
  return sendBinary(reply, model, await run(model, floats, shape));
}

const app = Fastify({ logger: false, bodyLimit: 64 << 20 });
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) =>
  done(null, body),
);
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) =>
  done(null, JSON.parse(body)),
);
app.post('/v2/models/:model/infer', infer);
const address = await app.listen({ host: '127.0.0.1', port: Number(values.port) });
console.log(`listening on ${address}`);
