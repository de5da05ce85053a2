/**
 * The generated TypeScript of the frames: what one side writes the other reads, on the generated code alone.
 */
import { Builder, ByteBuffer } from 'flatbuffers';
import t from 'tap';
import { readFileSync } from 'node:fs';
import { DATA_TYPES, DATA_TYPE_NAMES } from '../../src/core/data-types.js';
import { ERRORS, type ErrorName } from '../../src/core/errors.js';
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

/** Of HTTP, of the admin listener and of loading: no frame has them. */
const NOT_IN_FRAMES: readonly ErrorName[] = [
  ...(['MODEL_INVALID', 'CONFIG_INVALID', 'CONTROL_MODE', 'CONFLICT', 'CHANGED_MEANWHILE'] as const),
  ...([
    'ROUTE_NOT_FOUND',
    'METHOD_NOT_ALLOWED',
    'NOT_FOUND',
    'UNSUPPORTED_ENCODING',
    'UNSUPPORTED_TYPE',
  ] as const),
  ...(['UNAUTHORIZED', 'UPGRADE_REQUIRED'] as const),
];

t.test('docs/ws-protocol.md has every error of a frame, with its number and whose fault it is', async (t) => {
  const text = readFileSync(new URL('../../docs/ws-protocol.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| (\d+) \| `([A-Z_]+)` \| (client|server) \| (.+) \|$/gm)].map(
    ([, number, name, blame]) => `${number} ${name} ${blame}`,
  );
  const expected = (Object.keys(ERRORS) as ErrorName[])
    .filter((name) => !NOT_IN_FRAMES.includes(name))
    .map((name) => `${ERRORS[name].number} ${name} ${ERRORS[name].blame}`);
  t.same(rows, expected);
});
