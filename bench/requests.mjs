/**
 * The request bodies of the scenarios, written below build/bench/requests with their headers, and the replies that a real
 * server gave to them: the echo answers the same bytes. Values are seeded, so every run sends the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askByFrame, encodeFrame, floatsOfFrame, FRAME_PATH } from './frames.mjs';
import { REQUEST_FILES } from './paths.mjs';
import { REQUESTS } from './scenarios.mjs';

function someFloats(count) {
  let state = 12345;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function encode({ model, columns, form }) {
  const floats = someFloats(columns);
  if (form === 'frame') return { body: encodeFrame(model, 'INPUT0', columns, floats) };
  const bytes = Buffer.from(floats.buffer);
  if (form === 'raw') return { body: bytes, headLength: 0 };
  const input = { name: 'INPUT0', shape: [1, columns], datatype: 'FP32' };
  if (form === 'json')
    return { body: Buffer.from(JSON.stringify({ inputs: [{ ...input, data: Array.from(floats) }] })) };
  const head = Buffer.from(
    JSON.stringify({
      inputs: [{ ...input, parameters: { binary_data_size: bytes.length } }],
      parameters: { binary_data_output: true },
    }),
  );
  return { body: Buffer.concat([head, bytes]), headLength: head.length };
}

/** Writes the body; answers what a client must send with it. */
export function prepareRequest(name) {
  const { model, form, headers: more } = REQUESTS[name];
  const { body, headLength } = encode(REQUESTS[name]);
  mkdirSync(REQUEST_FILES, { recursive: true });
  const bodyFile = join(REQUEST_FILES, `${name}.request`);
  writeFileSync(bodyFile, body);
  if (form === 'frame') return { name, form, body, bodyFile, path: FRAME_PATH, headers: {} };
  const headers = {
    'content-type': form === 'json' ? 'application/json' : 'application/octet-stream',
    ...(headLength === undefined ? {} : { 'inference-header-content-length': String(headLength) }),
    ...more,
  };
  return { name, form, body, bodyFile, path: `/v2/models/${model}/infer`, headers };
}

/** The one output tensor of a reply, whichever form it came in. */
export function outputOf(reply) {
  if (reply.form === 'frame') return floatsOfFrame(reply.body);
  const headLength = reply.headers['inference-header-content-length'];
  const end = headLength === undefined ? reply.body.length : Number(headLength);
  const [output] = JSON.parse(reply.body.toString('utf8', 0, end)).outputs;
  return output.data ?? Array.from(new Float32Array(Uint8Array.from(reply.body.subarray(end)).buffer));
}

export async function ask(url, { form, path, headers, body }) {
  if (form === 'frame') return { form, headers: {}, body: await askByFrame(url, body) };
  const response = await fetch(url + path, { method: 'POST', headers, body });
  const reply = {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: Buffer.from(await response.arrayBuffer()),
  };
  if (reply.status !== 200)
    throw new Error(`${path} answered ${reply.status}: ${reply.body.toString('utf8')}`);
  return reply;
}

/** Keeps a reply for the echo to give. */
export function keepReply(name, reply) {
  const replyFile = join(REQUEST_FILES, `${name}.reply`);
  writeFileSync(replyFile, reply.body);
  return {
    replyFile,
    contentType: reply.headers['content-type'] ?? 'application/octet-stream',
    headLength: reply.headers['inference-header-content-length'] ?? '',
  };
}
