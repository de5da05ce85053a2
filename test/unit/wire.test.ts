/**
 * The generated TypeScript of the frames: what one side writes the other reads, on the generated code alone.
 */
import { Builder, ByteBuffer } from 'flatbuffers';
import t from 'tap';
import { DATA_TYPES, DATA_TYPE_NAMES } from '../../src/core/data-types.js';
import { DataType } from '../../src/wire/generated/data-type.js';
import { Frame } from '../../src/wire/generated/frame.js';
import { InferRequest } from '../../src/wire/generated/infer-request.js';

t.test('the data types of the schema have the numbers of the server', async (t) => {
  for (const name of DATA_TYPE_NAMES) t.equal(DataType[name], DATA_TYPES[name].number, name);
  t.equal(Object.keys(DataType).length / 2, DATA_TYPE_NAMES.length + 1, 'and NONE');
});

t.test('a frame says by its fields what it is', async (t) => {
  const builder = new Builder(64);
  const key = builder.createString('kéy');
  InferRequest.startInferRequest(builder);
  InferRequest.addId(builder, 4_294_967_295);
  InferRequest.addRoutingKey(builder, key);
  const request = InferRequest.endInferRequest(builder);
  Frame.startFrame(builder);
  Frame.addRequest(builder, request);
  Frame.finishFrameBuffer(builder, Frame.endFrame(builder));

  const bytes = new ByteBuffer(builder.asUint8Array());
  t.equal(Buffer.from(bytes.bytes()).toString('latin1', 4, 8), 'SLU1');
  const frame = Frame.getRootAsFrame(bytes);
  t.equal(frame.request()?.id(), 4_294_967_295);
  t.equal(frame.request()?.routingKey(), 'kéy');
  t.equal(frame.response(), null);
});
