/**
 * The generated TypeScript of the frames: what one side writes the other reads, on the generated code alone.
 */
import { Builder, ByteBuffer } from 'flatbuffers';
import t from 'tap';
import { readFileSync } from 'node:fs';
import { DATA_TYPES, DATA_TYPE_NAMES } from '../../src/core/data-types.js';
import { ERRORS, type ErrorName } from '../../src/core/errors.js';
import { BundleWriter, framesOf } from '../../src/wire/bundles.js';
import { DataType } from '../../src/wire/generated/data-type.js';
import { Frame } from '../../src/wire/generated/frame.js';
import { InferRequest } from '../../src/wire/generated/infer-request.js';
import { bundleOf } from '../support/frames.js';

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

t.test('a bundle is its frames behind their records, each at a multiple of 16', async (t) => {
  const frames = [Uint8Array.of(1, 2, 3), new Uint8Array(16).fill(4), Uint8Array.of(5)];
  const writer = new BundleWriter();
  for (const length of [100, 3000]) writer.add(new Uint8Array(length).fill(255));
  writer.take();
  for (const frame of frames) {
    const expectedBytes = writer.bytesWith(frame.length);
    writer.add(frame);
    t.equal(bundleOf(...frames.slice(0, writer.frameCount - 1)).length + 16 + frame.length, expectedBytes);
  }
  const message = Buffer.from(writer.take());
  const onPaper =
    '03000000534c55420000000000000000' +
    '01020300000000000000000000000000' +
    '10000000534c55420000000000000000' +
    '04040404040404040404040404040404' +
    '01000000534c55420000000000000000' +
    '05';
  t.equal(message.toString('hex'), onPaper, 'and nothing of what the memory held before');
  t.same(framesOf(message), frames);
  t.equal(writer.frameCount, 0);
});

t.test('a message is one frame, the frames of a bundle, or neither', async (t) => {
  const single = Uint8Array.of(16, 0, 0, 0, 83, 76, 85, 49, 0, 0, 0, 0, 0, 0, 0, 0);
  t.same(framesOf(single), [single]);
  t.same(framesOf(new Uint8Array(3)), [new Uint8Array(3)]);
  const bundle = bundleOf(Uint8Array.of(1, 2, 3), new Uint8Array(20).fill(7), new Uint8Array(0));
  t.same(
    framesOf(bundle)?.map(({ length }) => length),
    [3, 20, 0],
  );
  const offset = new Uint8Array(bundle.length + 5);
  offset.set(bundle, 5);
  t.same(framesOf(offset.subarray(5)), framesOf(bundle), 'wherever it lies');
  // Whole frames end at 19, at 68 (and their padding up to 80) and at 96.
  for (let length = 16; length < bundle.length; length += 1) {
    const isWhole = (length >= 19 && length <= 32) || (length >= 68 && length <= 80);
    t.equal(framesOf(bundle.subarray(0, length)) !== undefined, isWhole, `cut at ${length}`);
  }
  bundle.writeUInt32LE(0xffff_ffff, 0);
  t.equal(framesOf(bundle), undefined);
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
