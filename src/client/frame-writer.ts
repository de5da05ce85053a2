/**
 * Writes the frames that a client sends, into one buffer that is used again for each: what a call returns is good until the
 * next call. A WebSocket copies what it is given to send before `send` returns.
 */
import { Builder } from 'flatbuffers';
import { Cancel } from '../wire/generated/cancel.js';
import { Frame } from '../wire/generated/frame.js';
import { InferRequest } from '../wire/generated/infer-request.js';
import { OutputChoice } from '../wire/generated/output-choice.js';
import { Tensor } from '../wire/generated/tensor.js';
import { dataTypeNumber } from './data-types.js';
import type { EncodedInput } from './inputs.js';
import type { InferOptions } from './model.js';

const FIRST_BYTES = 1024;
/** A larger buffer is not kept for the next frame. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;
/** What a frame takes beside data and names: generous, since growing means copying everything. */
const TABLE_BYTES = 512;
const BYTES_PER_INPUT = 256;

const MOST_UINT32 = 2 ** 32 - 1;

export interface RequestHeader {
  readonly id: number;
  readonly model: string;
  /** 0: the server has not told of this name. */
  readonly modelNumber: number;
  readonly deadlineMs: number;
  readonly options: InferOptions;
}

export class FrameWriter {
  private builder = new Builder(FIRST_BYTES);
  private capacity = FIRST_BYTES;

  writeRequest(
    { id, model, modelNumber, deadlineMs, options }: RequestHeader,
    inputs: readonly EncodedInput[],
  ): Uint8Array {
    const builder = this.begin(
      inputs.reduce((sum, { bytes }) => sum + bytes.byteLength + BYTES_PER_INPUT, TABLE_BYTES),
    );
    const tensors = inputs.map((input) => writeTensor(builder, input));
    const inputsAt = InferRequest.createInputsVector(builder, tensors);
    const choices = options.outputs ?? [];
    const outputsAt = choices.length === 0 ? 0 : writeChoices(builder, choices);
    const modelAt = modelNumber === 0 ? builder.createString(model) : 0;
    const text = (value: string | undefined): number =>
      value === undefined ? 0 : builder.createString(value);
    const versionAt = text(options.version);
    const keyAt = text(options.key);
    const traceparentAt = text(options.traceparent);

    InferRequest.startInferRequest(builder);
    InferRequest.addId(builder, id);
    InferRequest.addModelNumber(builder, modelNumber);
    InferRequest.addModel(builder, modelAt);
    InferRequest.addVersion(builder, versionAt);
    InferRequest.addInputs(builder, inputsAt);
    InferRequest.addOutputs(builder, outputsAt);
    InferRequest.addDeadlineMs(builder, Math.min(deadlineMs, MOST_UINT32));
    InferRequest.addPriority(builder, options.priority ?? 0);
    InferRequest.addRoutingKey(builder, keyAt);
    InferRequest.addTraceparent(builder, traceparentAt);
    InferRequest.addWantTimes(builder, options.times ?? false);
    const request = InferRequest.endInferRequest(builder);
    Frame.startFrame(builder);
    Frame.addRequest(builder, request);
    return this.finish();
  }

  writeCancel(id: number): Uint8Array {
    const builder = this.begin(FIRST_BYTES);
    Cancel.startCancel(builder);
    Cancel.addId(builder, id);
    const cancel = Cancel.endCancel(builder);
    Frame.startFrame(builder);
    Frame.addCancel(builder, cancel);
    return this.finish();
  }

  private begin(leastBytes: number): Builder {
    if (leastBytes > this.capacity || this.capacity > MOST_KEPT_BYTES) {
      this.capacity = Math.max(FIRST_BYTES, leastBytes);
      this.builder = new Builder(this.capacity);
    } else {
      this.builder.clear();
    }
    return this.builder;
  }

  private finish(): Uint8Array {
    Frame.finishFrameBuffer(this.builder, Frame.endFrame(this.builder));
    return this.builder.asUint8Array();
  }
}

function writeTensor(builder: Builder, { name, datatype, shape, bytes }: EncodedInput): number {
  const dataAt = builder.createByteVector(bytes);
  const shapeAt = Tensor.createShapeVector(builder, shape.map(BigInt));
  const nameAt = builder.createString(name);
  return Tensor.createTensor(builder, nameAt, 0, dataTypeNumber(datatype), shapeAt, dataAt);
}

function writeChoices(builder: Builder, names: readonly string[]): number {
  const choices = names.map((name) =>
    OutputChoice.createOutputChoice(builder, builder.createString(name), 0),
  );
  return InferRequest.createOutputsVector(builder, choices);
}
