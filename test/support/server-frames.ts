/**
 * The server's side of the WebSocket protocol, for tests of the client: writes what a server sends and reads what a client
 * sends, with the generated code alone.
 */
import { Builder, ByteBuffer } from 'flatbuffers';
import { DataType } from '../../src/wire/generated/data-type.js';
import { Frame } from '../../src/wire/generated/frame.js';
import { Goodbye } from '../../src/wire/generated/goodbye.js';
import { GoodbyeReason } from '../../src/wire/generated/goodbye-reason.js';
import { Hello } from '../../src/wire/generated/hello.js';
import { InferResponse } from '../../src/wire/generated/infer-response.js';
import { ModelInfo } from '../../src/wire/generated/model-info.js';
import { RequestError } from '../../src/wire/generated/request-error.js';
import { StageTimes } from '../../src/wire/generated/stage-times.js';
import { Tensor } from '../../src/wire/generated/tensor.js';
import { TensorInfo } from '../../src/wire/generated/tensor-info.js';

export interface FrameTensor {
  readonly name: string;
  readonly datatype: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SignatureTensor {
  readonly name: string;
  readonly datatype: number;
  readonly shape: readonly number[];
}

export interface HelloModel {
  readonly number: number;
  readonly name: string;
  readonly version?: string;
  readonly maxRows?: number;
  readonly inputs: readonly SignatureTensor[];
  readonly outputs?: readonly SignatureTensor[];
}

export interface HelloFacts {
  readonly protocol?: number;
  readonly maxMessageBytes?: number;
  readonly maxInFlight?: number;
  readonly maxBundleFrames?: number;
  readonly models?: readonly HelloModel[];
}

/** What a client sent. */
export interface ReadRequest {
  readonly kind: 'request';
  readonly id: number;
  readonly modelNumber: number;
  readonly model: string | null;
  readonly version: string | null;
  readonly inputs: readonly FrameTensor[];
  readonly outputs: readonly (string | null)[];
  readonly deadlineMs: number;
  readonly priority: number;
  readonly key: string | null;
  readonly traceparent: string | null;
  readonly wantsTimes: boolean;
}

export type ClientFrame = ReadRequest | { readonly kind: 'cancel'; readonly id: number };

function finish(builder: Builder, add: () => void): Uint8Array {
  Frame.startFrame(builder);
  add();
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  return builder.asUint8Array().slice();
}

function shapeAt(builder: Builder, shape: readonly number[]): number {
  return Tensor.createShapeVector(builder, shape.map(BigInt));
}

function signatureAt(builder: Builder, tensors: readonly SignatureTensor[]): number {
  const places = tensors.map(({ name, datatype, shape }) => {
    const name_ = builder.createString(name);
    const shape_ = shapeAt(builder, shape);
    return TensorInfo.createTensorInfo(builder, name_, datatype, shape_);
  });
  return ModelInfo.createInputsVector(builder, places);
}

export function helloFrame({
  protocol = 1,
  maxMessageBytes = 1 << 20,
  maxInFlight = 8,
  maxBundleFrames = 0,
  models = [],
}: HelloFacts = {}) {
  const builder = new Builder(1024);
  const places = models.map((model) => {
    const name = builder.createString(model.name);
    const version = builder.createString(model.version ?? '1');
    const versions = ModelInfo.createVersionsVector(builder, [version]);
    const inputs = signatureAt(builder, model.inputs);
    const outputs = signatureAt(builder, model.outputs ?? []);
    ModelInfo.startModelInfo(builder);
    ModelInfo.addNumber(builder, model.number);
    ModelInfo.addName(builder, name);
    ModelInfo.addVersion(builder, version);
    ModelInfo.addVersions(builder, versions);
    ModelInfo.addMaxRows(builder, model.maxRows ?? 0);
    ModelInfo.addInputs(builder, inputs);
    ModelInfo.addOutputs(builder, outputs);
    return ModelInfo.endModelInfo(builder);
  });
  const list = Hello.createModelsVector(builder, places);
  const server = builder.createString('scripted');
  Hello.startHello(builder);
  Hello.addProtocol(builder, protocol);
  Hello.addServer(builder, server);
  Hello.addMaxMessageBytes(builder, maxMessageBytes);
  Hello.addMaxInFlight(builder, maxInFlight);
  Hello.addModels(builder, list);
  Hello.addMaxBundleFrames(builder, maxBundleFrames);
  const hello = Hello.endHello(builder);
  return finish(builder, () => {
    Frame.addHello(builder, hello);
  });
}

export function responseFrame(
  id: number,
  outputs: readonly FrameTensor[],
  { model = 'm', version = '1', times = false }: { model?: string; version?: string; times?: boolean } = {},
): Uint8Array {
  const builder = new Builder(1024);
  const places = outputs.map(({ name, datatype, shape, bytes }, position) => {
    // As the server does, and as the generated code does not: data begin at a multiple of 16.
    builder.startVector(1, bytes.length, 16);
    for (let index = bytes.length - 1; index >= 0; index -= 1) builder.addInt8(bytes[index]!);
    const data = builder.endVector();
    const shape_ = shapeAt(builder, shape);
    const name_ = builder.createString(name);
    return Tensor.createTensor(builder, name_, position, datatype, shape_, data);
  });
  const list = InferResponse.createOutputsVector(builder, places);
  const model_ = builder.createString(model);
  const version_ = builder.createString(version);
  const times_ = times ? StageTimes.createStageTimes(builder, 1, 2, 3, 4) : 0;
  InferResponse.startInferResponse(builder);
  InferResponse.addId(builder, id);
  InferResponse.addModel(builder, model_);
  InferResponse.addVersion(builder, version_);
  InferResponse.addOutputs(builder, list);
  InferResponse.addTimes(builder, times_);
  const response = InferResponse.endInferResponse(builder);
  return finish(builder, () => {
    Frame.addResponse(builder, response);
  });
}

export function errorFrame(
  id: number,
  code: number,
  name: string,
  message = name,
  retryAfterMs = 0,
): Uint8Array {
  const builder = new Builder(256);
  const name_ = builder.createString(name);
  const message_ = builder.createString(message);
  const error = RequestError.createRequestError(builder, id, code, name_, message_, retryAfterMs);
  return finish(builder, () => {
    Frame.addError(builder, error);
  });
}

export function goodbyeFrame(reconnectAfterMs = 0, drainMs = 1000): Uint8Array {
  const builder = new Builder(128);
  const goodbye = Goodbye.createGoodbye(builder, GoodbyeReason.DRAINING, drainMs, reconnectAfterMs);
  return finish(builder, () => {
    Frame.addGoodbye(builder, goodbye);
  });
}

/** None of its fields is known to this version. */
export function emptyFrame(): Uint8Array {
  return finish(new Builder(64), () => undefined);
}

export function readClientFrame(bytes: Uint8Array): ClientFrame {
  const frame = Frame.getRootAsFrame(new ByteBuffer(bytes.slice()));
  const cancel = frame.cancel();
  if (cancel !== null) return { kind: 'cancel', id: cancel.id() };
  const request = frame.request();
  if (request === null) throw new Error('expected a request or a cancel');
  const inputs = Array.from({ length: request.inputsLength() }, (_, index) => {
    const tensor = request.inputs(index)!;
    return {
      name: tensor.name() ?? '',
      datatype: tensor.datatype(),
      shape: Array.from({ length: tensor.shapeLength() }, (_, axis) => Number(tensor.shape(axis))),
      bytes: tensor.dataArray() ?? new Uint8Array(0),
    };
  });
  return {
    kind: 'request',
    id: request.id(),
    modelNumber: request.modelNumber(),
    model: request.model(),
    version: request.version(),
    inputs,
    outputs: Array.from({ length: request.outputsLength() }, (_, index) => request.outputs(index)!.name()),
    deadlineMs: request.deadlineMs(),
    priority: request.priority(),
    key: request.routingKey(),
    traceparent: request.traceparent(),
    wantsTimes: request.wantTimes(),
  };
}

const { FP32 } = DataType;

/** One model `m` that takes and gives FP32 rows of two. */
export const PAIRS: HelloModel = {
  number: 7,
  name: 'm',
  maxRows: 8,
  inputs: [{ name: 'x', datatype: FP32, shape: [-1, 2] }],
  outputs: [{ name: 'y', datatype: FP32, shape: [-1, 2] }],
};

/** Answers a request for `PAIRS` with its own input. */
export function echoFrame(request: ReadRequest): Uint8Array {
  return responseFrame(request.id, [{ ...request.inputs[0]!, name: 'y' }]);
}
