/**
 * A message of the server as plain values. Reads verified frames only; what is wrong in another way is BAD_ANSWER.
 */
import { ByteBuffer } from 'flatbuffers';
import { framesOf } from '../wire/bundles.js';
import { Frame } from '../wire/generated/frame.js';
import type { Hello as HelloTable } from '../wire/generated/hello.js';
import type { InferResponse } from '../wire/generated/infer-response.js';
import type { ModelInfo as ModelTable } from '../wire/generated/model-info.js';
import type { RequestError } from '../wire/generated/request-error.js';
import type { TensorInfo as TensorInfoTable } from '../wire/generated/tensor-info.js';
import { dataTypeOf, type Tensor } from './data-types.js';
import { clientError, serverError, type InferError } from './errors.js';
import type { InferResult, ModelInfo, TensorInfo } from './model.js';
import { define, tensorOf } from './outputs.js';
import { isFrame } from './verify.js';

/** `number` stands for the name on this connection. */
export interface ServedModel extends ModelInfo {
  readonly number: number;
}

export interface Hello {
  readonly protocol: number;
  readonly server: string;
  readonly maxMessageBytes: number;
  readonly maxInFlight: number;
  /** 0: the server takes single frames only. */
  readonly maxBundleFrames: number;
  readonly models: ReadonlyMap<string, ServedModel>;
}

export type ServerFrame =
  | { readonly kind: 'response'; readonly id: number; readonly result: InferResult }
  /** The answer to `id` cannot be read, though it is a frame. */
  | { readonly kind: 'error'; readonly id: number; readonly error: InferError }
  | ({ readonly kind: 'hello' } & Hello)
  | { readonly kind: 'goodbye'; readonly drainMs: number; readonly reconnectAfterMs: number }
  /** Of a later protocol. */
  | { readonly kind: 'unknown' };

const UNKNOWN: ServerFrame = { kind: 'unknown' };

/** The frames of a message, one or a bundle. Throws BAD_ANSWER where it is neither. */
export function readFrames(message: Uint8Array): ServerFrame[] {
  const frames = framesOf(message);
  if (frames === undefined) throw clientError('BAD_ANSWER', 'expected a bundle of frames from the server');
  return frames.map(readFrame);
}

/** Throws BAD_ANSWER where the bytes are not a frame. */
export function readFrame(bytes: Uint8Array): ServerFrame {
  if (!isFrame(bytes))
    throw clientError('BAD_ANSWER', `expected a frame from the server, got ${bytes.byteLength} other bytes`);
  const frame = Frame.getRootAsFrame(new ByteBuffer(bytes));
  const response = frame.response();
  if (response !== null) return readResponse(response);
  const error = frame.error();
  if (error !== null) return { kind: 'error', id: error.id(), error: readError(error) };
  const hello = frame.hello();
  if (hello !== null) return readHello(hello);
  const goodbye = frame.goodbye();
  if (goodbye === null) return UNKNOWN;
  return { kind: 'goodbye', drainMs: goodbye.drainMs(), reconnectAfterMs: goodbye.reconnectAfterMs() };
}

function readResponse(response: InferResponse): ServerFrame {
  const id = response.id();
  try {
    return { kind: 'response', id, result: readResult(response) };
  } catch (error) {
    return { kind: 'error', id, error: error as InferError };
  }
}

function readResult(response: InferResponse): InferResult {
  const outputs: Record<string, Tensor> = {};
  for (let index = 0; index < response.outputsLength(); index += 1) {
    const tensor = response.outputs(index)!;
    const name = tensor.name() ?? String(tensor.position());
    const datatype = dataTypeOf(tensor.datatype());
    if (datatype === undefined) {
      throw clientError(
        'BAD_ANSWER',
        `expected a known data type of output ${name}, got number ${tensor.datatype()}`,
      );
    }
    const shape: number[] = [];
    for (let axis = 0; axis < tensor.shapeLength(); axis += 1) shape.push(Number(tensor.shape(axis)));
    define(outputs, name, tensorOf(name, datatype, shape, tensor.dataArray() ?? new Uint8Array(0)));
  }
  const times = response.times();
  return {
    model: response.model() ?? '',
    version: response.version() ?? '',
    outputs,
    times:
      times === null
        ? undefined
        : {
            decodeUs: times.decodeUs(),
            queueUs: times.queueUs(),
            runUs: times.runUs(),
            encodeUs: times.encodeUs(),
          },
  };
}

function readError(error: RequestError): InferError {
  const code = error.name() ?? `ERROR_${error.code()}`;
  return serverError(code, error.message() ?? code, error.code(), error.retryAfterMs());
}

function readHello(hello: HelloTable): ServerFrame {
  const models = new Map<string, ServedModel>();
  for (let index = 0; index < hello.modelsLength(); index += 1) {
    const model = readModel(hello.models(index)!);
    models.set(model.name, model);
  }
  return {
    kind: 'hello',
    protocol: hello.protocol(),
    server: hello.server() ?? '',
    maxMessageBytes: hello.maxMessageBytes(),
    maxInFlight: hello.maxInFlight(),
    maxBundleFrames: hello.maxBundleFrames(),
    models,
  };
}

function readModel(model: ModelTable): ServedModel {
  const listOf = <T>(length: number, read: (index: number) => T): T[] =>
    Array.from({ length }, (_, index) => read(index));
  return {
    number: model.number(),
    name: model.name() ?? '',
    version: model.version() ?? undefined,
    versions: listOf(model.versionsLength(), (index) => model.versions(index)),
    maxRows: model.maxRows(),
    inputs: listOf(model.inputsLength(), (index) => readTensorInfo(model.inputs(index)!)),
    outputs: listOf(model.outputsLength(), (index) => readTensorInfo(model.outputs(index)!)),
  };
}

function readTensorInfo(info: TensorInfoTable): TensorInfo {
  const shape = Array.from({ length: info.shapeLength() }, (_, axis) => Number(info.shape(axis)));
  return { name: info.name() ?? '', datatype: dataTypeOf(info.datatype()), shape };
}
