/**
 * Frames as a client writes and reads them, on the generated code alone, for tests.
 */
import { Builder, ByteBuffer } from 'flatbuffers';
import { Cancel } from '../../src/wire/generated/cancel.js';
import type { DataType } from '../../src/wire/generated/data-type.js';
import { Frame } from '../../src/wire/generated/frame.js';
import { InferRequest } from '../../src/wire/generated/infer-request.js';
import { OutputChoice } from '../../src/wire/generated/output-choice.js';
import { Tensor } from '../../src/wire/generated/tensor.js';

export interface SentTensor {
  /** Without a name, by position. */
  readonly name?: string;
  readonly position?: number;
  readonly datatype: DataType;
  readonly shape: readonly (number | bigint)[];
  readonly data: Uint8Array;
}

export interface SentRequest {
  readonly id: number;
  readonly modelNumber?: number;
  readonly model?: string;
  readonly version?: string;
  readonly inputs: readonly SentTensor[];
  /** Positions. */
  readonly outputs?: readonly number[];
  readonly deadlineMs?: number;
  readonly priority?: number;
  readonly routingKey?: string;
  readonly wantTimes?: boolean;
  readonly traceparent?: string;
}

export function requestFrame(sent: SentRequest): Uint8Array {
  const builder = new Builder(256);
  const texts = [sent.model, sent.version, sent.routingKey, sent.traceparent].map((text) =>
    text === undefined ? 0 : builder.createString(text),
  );
  const inputs = InferRequest.createInputsVector(
    builder,
    sent.inputs.map((tensor) => addTensor(builder, tensor)),
  );
  const outputs =
    sent.outputs === undefined
      ? 0
      : InferRequest.createOutputsVector(
          builder,
          sent.outputs.map((position) => OutputChoice.createOutputChoice(builder, 0, position)),
        );
  InferRequest.startInferRequest(builder);
  InferRequest.addId(builder, sent.id);
  InferRequest.addModelNumber(builder, sent.modelNumber ?? 0);
  if (texts[0] !== 0) InferRequest.addModel(builder, texts[0]!);
  if (texts[1] !== 0) InferRequest.addVersion(builder, texts[1]!);
  if (texts[2] !== 0) InferRequest.addRoutingKey(builder, texts[2]!);
  InferRequest.addInputs(builder, inputs);
  if (outputs !== 0) InferRequest.addOutputs(builder, outputs);
  InferRequest.addDeadlineMs(builder, sent.deadlineMs ?? 0);
  InferRequest.addPriority(builder, sent.priority ?? 0);
  if (texts[3] !== 0) InferRequest.addTraceparent(builder, texts[3]!);
  InferRequest.addWantTimes(builder, sent.wantTimes ?? false);
  const request = InferRequest.endInferRequest(builder);
  Frame.startFrame(builder);
  Frame.addRequest(builder, request);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  return builder.asUint8Array().slice();
}

export function cancelFrame(id: number): Uint8Array {
  const builder = new Builder(64);
  Cancel.startCancel(builder);
  Cancel.addId(builder, id);
  const cancel = Cancel.endCancel(builder);
  Frame.startFrame(builder);
  Frame.addCancel(builder, cancel);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  return builder.asUint8Array().slice();
}

/** A bundle of frames, put together here byte by byte. */
export function bundleOf(...frames: readonly Uint8Array[]): Buffer {
  const parts = frames.flatMap((frame) => {
    const head = Buffer.from([0, 0, 0, 0, ...Buffer.from('SLUB'), 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32LE(frame.length);
    return [head, frame, Buffer.alloc((16 - (frame.length % 16)) % 16)];
  });
  return Buffer.concat(parts);
}

/** The frames of a message, which may be a bundle: each a copy. */
export function framesIn(message: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(message);
  if (bytes.toString('latin1', 4, 8) !== 'SLUB') return [bytes];
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    frames.push(bytes.subarray(at + 16, at + 16 + length));
    const next = at + 16 + Math.ceil(length / 16) * 16;
    const padding = bytes.subarray(at + 16 + length, next);
    if (bytes.toString('latin1', at + 4, at + 8) !== 'SLUB' || padding.some((byte) => byte !== 0))
      throw new Error(`expected a bundle, got ${bytes.toString('hex', 0, next)}`);
    at = next;
  }
  return frames;
}

/** A copy, so that the frame may be looked at for as long as the test likes. */
export function readFrame(bytes: Uint8Array): Frame {
  return Frame.getRootAsFrame(new ByteBuffer(new Uint8Array(bytes)));
}

function addTensor(builder: Builder, tensor: SentTensor): number {
  const name = tensor.name === undefined ? 0 : builder.createString(tensor.name);
  const shape = Tensor.createShapeVector(
    builder,
    tensor.shape.map((dim) => BigInt(dim)),
  );
  const data = builder.createByteVector(tensor.data);
  Tensor.startTensor(builder);
  if (name !== 0) Tensor.addName(builder, name);
  Tensor.addPosition(builder, tensor.position ?? 0);
  Tensor.addDatatype(builder, tensor.datatype);
  Tensor.addShape(builder, shape);
  Tensor.addData(builder, data);
  return Tensor.endTensor(builder);
}
