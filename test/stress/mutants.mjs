/** Valid frames of every kind, their truncations, and mutants of them, the same ones for the same seed. */
import { FrameWriter } from '../../dist/client/frame-writer.js';
import { BundleWriter } from '../../dist/wire/bundles.js';
import { seededRandom } from '../../bench/row-truth.mjs';

const fp32 = (...values) => new Uint8Array(Float32Array.from(values).buffer);
const pair = (name, shape, ...values) => ({ name, datatype: 'FP32', shape, bytes: fp32(...values) });
const ROW = Array.from({ length: 16 }, (_, index) => index - 3.5);
const TEXTS = Buffer.concat(
  ['one', '', 'three'].map((text) => Buffer.concat([Buffer.from([text.length, 0, 0, 0]), Buffer.from(text)])),
);

function bundle(...frames) {
  const writer = new BundleWriter();
  for (const frame of frames) writer.add(frame);
  return Buffer.from(writer.take());
}

/** `numbers`: models by number. Every frame gets an id of its own later, so here it is one that is easily found. */
export const PLACEHOLDER_ID = 0x5a17_c0de;

export function validFrames(numbers) {
  const writer = new FrameWriter();
  const numberOf = (model) => [...numbers].find(([, name]) => name === model)[0];
  const frame = (model, inputs, { isByNumber = false, ...options } = {}) =>
    Buffer.from(
      writer.writeRequest(
        {
          id: PLACEHOLDER_ID,
          model,
          modelNumber: isByNumber ? numberOf(model) : 0,
          deadlineMs: options.deadlineMs ?? 0,
          options,
        },
        inputs,
      ),
    );
  const sums = [pair('INPUT0', [1, 16], ...ROW), pair('INPUT1', [1, 16], ...ROW)];
  const strings = { name: 'INPUT0', datatype: 'BYTES', shape: [1, 3], bytes: TEXTS };
  const traceparent = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01';
  const sum = frame('add_sub', sums, { isByNumber: true });
  const cancel = Buffer.from(writer.writeCancel(PLACEHOLDER_ID));
  return [
    frame('identity_fp32', [pair('INPUT0', [2, 2], 0.5, -1.5, 3.25, 1024)]),
    frame('identity_fp32', [pair('INPUT0', [1, 4], 1, 2, 3, 4)], { isByNumber: true, version: '1' }),
    frame('add_sub', sums, { isByNumber: true, outputs: ['OUTPUT1'], times: true }),
    frame('add_sub', sums, { version: '1', key: 'customer 7', priority: 2, traceparent }),
    frame('identity_bytes', [strings], { isByNumber: true, deadlineMs: 20_000 }),
    cancel,
    // The request gets an id of its own, the cancels stay for one that is not in flight.
    bundle(sum, cancel),
    bundle(cancel, sum, cancel),
  ];
}

/** All of `frames` cut short at every byte, then `count` mutants. */
export function* mutantsOf(frames, count, seed) {
  for (const frame of frames) {
    for (let length = 0; length <= frame.length; length += 1) yield Buffer.from(frame.subarray(0, length));
  }
  const { below } = seededRandom(seed);
  for (let made = 0; made < count; made += 1) {
    const bytes = Buffer.from(frames[below(frames.length)]);
    const length = below(20) === 0 ? below(bytes.length) : bytes.length;
    for (let changes = 1 + below(3); changes > 0; changes -= 1) change(bytes, below);
    yield bytes.subarray(0, length);
  }
}

function change(bytes, below) {
  const at = below(bytes.length);
  const kind = below(4);
  if (kind === 0) bytes[at] = below(256);
  else if (kind === 1) bytes[at] ^= 1 << below(8);
  else if (kind === 2) bytes[at] = [0, 1, 127, 128, 255][below(5)];
  else bytes.copyWithin(at, below(bytes.length), Math.min(bytes.length, at + 1 + below(8)));
}

/** Gives the frame an id of its own, where its id is still the placeholder. */
export function renumber(bytes, id) {
  // Of a bundle that begins with a cancel it is the second.
  const cancelEnd = isBundle(bytes) && bytes.readUInt32LE(0) < 64 ? 16 + bytes.readUInt32LE(0) : 0;
  const at = bytes.indexOf(PLACEHOLDER_BYTES, cancelEnd);
  if (at >= 0) bytes.writeUInt32LE(id, at);
}

function isBundle(bytes) {
  return bytes.length >= 16 && bytes.toString('latin1', 4, 8) === 'SLUB';
}

const PLACEHOLDER_BYTES = Buffer.alloc(4);
PLACEHOLDER_BYTES.writeUInt32LE(PLACEHOLDER_ID);
