/** The frames of the WebSocket protocol as the bench needs them: one request made, one answer read. */
import { Builder, ByteBuffer } from 'flatbuffers';
import WebSocket from 'ws';
import { DataType } from '../dist/wire/generated/data-type.js';
import { Frame } from '../dist/wire/generated/frame.js';
import { InferRequest } from '../dist/wire/generated/infer-request.js';
import { Tensor } from '../dist/wire/generated/tensor.js';

export const FRAME_PATH = '/v2/ws';
/** Any but 0: the generator writes its own over it. */
const ID = 1;
const ANSWER_LIMIT_MS = 10_000;

export function encodeFrame(model, inputName, columns, floats) {
  const builder = new Builder(1024);
  const name = builder.createString(inputName);
  const shape = Tensor.createShapeVector(builder, [1n, BigInt(columns)]);
  builder.startVector(1, floats.byteLength, 16);
  for (const byte of Buffer.from(floats.buffer).reverse()) builder.addInt8(byte);
  const data = builder.endVector();
  Tensor.startTensor(builder);
  Tensor.addName(builder, name);
  Tensor.addDatatype(builder, DataType.FP32);
  Tensor.addShape(builder, shape);
  Tensor.addData(builder, data);
  const inputs = InferRequest.createInputsVector(builder, [Tensor.endTensor(builder)]);
  const modelName = builder.createString(model);
  InferRequest.startInferRequest(builder);
  InferRequest.addId(builder, ID);
  InferRequest.addModel(builder, modelName);
  InferRequest.addInputs(builder, inputs);
  const request = InferRequest.endInferRequest(builder);
  Frame.startFrame(builder);
  Frame.addRequest(builder, request);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  return Buffer.from(builder.asUint8Array());
}

export function floatsOfFrame(bytes) {
  const output = Frame.getRootAsFrame(new ByteBuffer(bytes)).response().outputs(0);
  return Array.from(new Float32Array(Uint8Array.from(output.dataArray()).buffer));
}

/** The first frame that answers the request. */
export function askByFrame(url, frame) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http:', 'ws:') + FRAME_PATH);
    const timer = setTimeout(
      () => end(reject, new Error(`no answer from ${url}${FRAME_PATH}`)),
      ANSWER_LIMIT_MS,
    );
    const end = (settle, value) => {
      clearTimeout(timer);
      socket.terminate();
      settle(value);
    };
    socket.on('open', () => socket.send(frame));
    socket.on('error', (error) => end(reject, error));
    socket.on('message', (message) => {
      const read = Frame.getRootAsFrame(new ByteBuffer(message));
      if (read.error() !== null) return end(reject, new Error(read.error().message()));
      if (read.response() !== null) return end(resolve, Buffer.from(message));
    });
  });
}
