/** Requests as frames of the WebSocket protocol. */
import { Builder } from 'flatbuffers';
import { DataType } from '../wire/generated/data-type.js';
import { Frame } from '../wire/generated/frame.js';
import { InferRequest } from '../wire/generated/infer-request.js';
import { Tensor as TensorTable } from '../wire/generated/tensor.js';
import { BenchError } from './bench-error.js';
import type { Tensor } from './tensors.js';

/** Any but 0: the generator writes its own over it. */
const ID = 1;
const DATA_ALIGNMENT = 16;

function addTensor(builder: Builder, { name, datatype, shape, bytes }: Tensor): number {
  const type = DataType[datatype as keyof typeof DataType];
  if (type === undefined)
    throw new BenchError(`input "${name}" has the data type ${datatype}, which frames do not have`);
  const nameAt = builder.createString(name);
  const shapeAt = TensorTable.createShapeVector(builder, shape.map(BigInt));
  // Written from the end, as the builder grows downwards.
  builder.startVector(1, bytes.length, DATA_ALIGNMENT);
  for (let i = bytes.length - 1; i >= 0; i--) builder.addInt8(bytes.readInt8(i));
  const dataAt = builder.endVector();
  TensorTable.startTensor(builder);
  TensorTable.addName(builder, nameAt);
  TensorTable.addDatatype(builder, type);
  TensorTable.addShape(builder, shapeAt);
  TensorTable.addData(builder, dataAt);
  return TensorTable.endTensor(builder);
}

export function encodeFrame(
  { model, version }: { readonly model: string; readonly version?: string },
  tensors: readonly Tensor[],
  deadlineMs: number | undefined,
): Uint8Array {
  const builder = new Builder(1024);
  const tensorsAt = tensors.map((tensor) => addTensor(builder, tensor));
  const inputsAt = InferRequest.createInputsVector(builder, tensorsAt);
  const modelAt = builder.createString(model);
  const versionAt = version === undefined ? 0 : builder.createString(version);
  InferRequest.startInferRequest(builder);
  InferRequest.addId(builder, ID);
  InferRequest.addModel(builder, modelAt);
  if (versionAt !== 0) InferRequest.addVersion(builder, versionAt);
  InferRequest.addInputs(builder, inputsAt);
  if (deadlineMs !== undefined) InferRequest.addDeadlineMs(builder, Math.ceil(deadlineMs));
  const requestAt = InferRequest.endInferRequest(builder);
  Frame.startFrame(builder);
  Frame.addRequest(builder, requestAt);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));
  return builder.asUint8Array().slice();
}
