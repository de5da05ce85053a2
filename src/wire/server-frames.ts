/**
 * The frames that the server writes in TypeScript: those made of words. Responses are written by the addon. Each call answers
 * bytes of its own.
 */
import { Builder } from 'flatbuffers';
import { Frame } from './generated/frame.js';
import { Goodbye } from './generated/goodbye.js';
import { Hello } from './generated/hello.js';
import { ModelInfo } from './generated/model-info.js';
import { RequestError } from './generated/request-error.js';
import { TensorInfo } from './generated/tensor-info.js';
import { PROTOCOL_NUMBER } from './protocol.js';

export const GOODBYE_REASONS = { DRAINING: 1, LIFETIME: 2 } as const;
export type GoodbyeReasonName = keyof typeof GOODBYE_REASONS;

export interface HelloTensor {
  readonly name: string;
  /** Number of the data type. */
  readonly datatype: number;
  readonly shape: readonly number[];
}

export interface HelloModel {
  readonly number: number;
  readonly name: string;
  /** undefined: no version is ready. */
  readonly version: string | undefined;
  readonly versions: readonly string[];
  readonly maxRows: number;
  readonly inputs: readonly HelloTensor[];
  readonly outputs: readonly HelloTensor[];
}

export interface HelloFacts {
  readonly server: string;
  readonly maxMessageBytes: number;
  readonly maxInFlight: number;
  readonly maxBundleFrames: number;
  readonly models: readonly HelloModel[];
}

const builder = new Builder(1024);

function finished(add: (frame: number) => void, frame: number): Uint8Array {
  Frame.startFrame(builder);
  add(frame);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  const bytes = builder.asUint8Array().slice();
  builder.clear();
  return bytes;
}

export function errorFrame(
  id: number,
  code: number,
  name: string,
  message: string,
  retryAfterMs: number,
): Uint8Array {
  const nameAt = builder.createString(name);
  const messageAt = builder.createString(message);
  RequestError.startRequestError(builder);
  RequestError.addId(builder, id);
  RequestError.addName(builder, nameAt);
  RequestError.addMessage(builder, messageAt);
  RequestError.addRetryAfterMs(builder, retryAfterMs);
  RequestError.addCode(builder, code);
  return finished((frame) => {
    Frame.addError(builder, frame);
  }, RequestError.endRequestError(builder));
}

export function goodbyeFrame(
  reason: GoodbyeReasonName,
  drainMs: number,
  reconnectAfterMs: number,
): Uint8Array {
  Goodbye.startGoodbye(builder);
  Goodbye.addDrainMs(builder, drainMs);
  Goodbye.addReconnectAfterMs(builder, reconnectAfterMs);
  Goodbye.addReason(builder, GOODBYE_REASONS[reason]);
  return finished((frame) => {
    Frame.addGoodbye(builder, frame);
  }, Goodbye.endGoodbye(builder));
}

export function helloFrame(facts: HelloFacts): Uint8Array {
  const modelsAt = Hello.createModelsVector(builder, facts.models.map(addModel));
  const serverAt = builder.createString(facts.server);
  Hello.startHello(builder);
  Hello.addProtocol(builder, PROTOCOL_NUMBER);
  Hello.addServer(builder, serverAt);
  Hello.addMaxMessageBytes(builder, facts.maxMessageBytes);
  Hello.addMaxInFlight(builder, facts.maxInFlight);
  Hello.addModels(builder, modelsAt);
  Hello.addMaxBundleFrames(builder, facts.maxBundleFrames);
  return finished((frame) => {
    Frame.addHello(builder, frame);
  }, Hello.endHello(builder));
}

function addModel(model: HelloModel): number {
  const inputsAt = ModelInfo.createInputsVector(builder, model.inputs.map(addTensor));
  const outputsAt = ModelInfo.createOutputsVector(builder, model.outputs.map(addTensor));
  const versionsAt = ModelInfo.createVersionsVector(
    builder,
    model.versions.map((version) => builder.createString(version)),
  );
  const nameAt = builder.createString(model.name);
  const versionAt = model.version === undefined ? 0 : builder.createString(model.version);
  ModelInfo.startModelInfo(builder);
  ModelInfo.addNumber(builder, model.number);
  ModelInfo.addName(builder, nameAt);
  if (versionAt !== 0) ModelInfo.addVersion(builder, versionAt);
  ModelInfo.addVersions(builder, versionsAt);
  ModelInfo.addMaxRows(builder, model.maxRows);
  ModelInfo.addInputs(builder, inputsAt);
  ModelInfo.addOutputs(builder, outputsAt);
  return ModelInfo.endModelInfo(builder);
}

function addTensor(tensor: HelloTensor): number {
  const nameAt = builder.createString(tensor.name);
  const shapeAt = TensorInfo.createShapeVector(builder, tensor.shape.map(BigInt));
  TensorInfo.startTensorInfo(builder);
  TensorInfo.addName(builder, nameAt);
  TensorInfo.addShape(builder, shapeAt);
  TensorInfo.addDatatype(builder, tensor.datatype);
  return TensorInfo.endTensorInfo(builder);
}
