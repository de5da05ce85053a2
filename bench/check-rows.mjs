#!/usr/bin/env node
// Row-by-row truth under load: many connections send requests of random models, batch sizes and wire forms, and every element
// of every answer is compared with what it must be. The ledger counts requests answered right, wrong, not at all, or twice;
// with --metrics, the server's own counts must agree with it.
// Usage: node bench/check-rows.mjs http://host:port [--rows 1000000] [--connections 64] [--seed 1] [--metrics URL]
//   [--models build/models]   the repository that the server serves, as made by scripts/make-models.mjs
// Exit code 1 unless everything was right.
import net from 'node:net';
import { parseArgs } from 'node:util';
import { modelsWithTruth, seededRandom } from './row-truth.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    connections: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    metrics: { type: 'string' },
    models: { type: 'string', default: 'build/models' },
  },
});
const SHOWN_WRONG = 5;
const url = new URL(positionals[0] ?? 'http://127.0.0.1:8000');
const wantedRows = Number(values.rows);
const chance = seededRandom(Number(values.seed));
const { random, below } = chance;
const models = await modelsWithTruth(values.models, chance);
const ledger = { requests: 0, sentRows: 0, rightRows: 0, right: 0, wrong: 0, lost: 0, double: 0 };

/** A V2 request in JSON, in binary, or with both forms mixed; the answer comes back in the form asked for. */
function encode(id, { inputs, outputs }) {
  const mustBeBinary = outputs.some(({ type }) => !type.isInJson);
  const blobs = [];
  const head = {
    id,
    inputs: inputs.map(({ name, type, shape, elements }) => {
      const entry = { name, shape, datatype: type.name };
      if (type.isInJson && random() < 0.5) return { ...entry, data: elements };
      const blob = type.encode(elements);
      blobs.push(blob);
      return { ...entry, parameters: { binary_data_size: blob.length } };
    }),
    parameters: { binary_data_output: mustBeBinary || random() < 0.5 },
  };
  const json = Buffer.from(JSON.stringify(head));
  return { body: Buffer.concat([json, ...blobs]), headLength: blobs.length > 0 ? json.length : -1 };
}

function isEqual(got, { elements, tolerance }) {
  if (got.length !== elements.length) return false;
  if (tolerance === 0) return got.every((value, i) => value === elements[i]);
  return got.every(
    (value, i) => Math.abs(value - elements[i]) <= tolerance * Math.max(1, Math.abs(elements[i])),
  );
}

function parseOrNothing(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRight(id, { outputs }, status, body, headLength) {
  if (status !== 200) return false;
  const jsonBytes = headLength > 0 ? headLength : body.length;
  const reply = parseOrNothing(body.toString('utf8', 0, jsonBytes));
  if (reply?.id !== id || reply.outputs.length !== outputs.length) return false;
  let at = jsonBytes;
  const decoded = new Map();
  for (const { name, datatype, shape, data, parameters } of reply.outputs) {
    const expected = outputs.find((output) => output.name === name);
    if (expected?.type.name !== datatype || `${shape}` !== `${expected.shape}`) return false;
    const size = parameters?.binary_data_size;
    decoded.set(name, size === undefined ? data : expected.type.decode(body.subarray(at, at + size)));
    at += size ?? 0;
  }
  return (
    at === body.length && outputs.every((expected) => isEqual(decoded.get(expected.name) ?? [], expected))
  );
}

/** Takes replies out of what a socket receives. */
function replyReader(onReply) {
  let received = Buffer.alloc(0);
  return (chunk) => {
    received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk;
    for (;;) {
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = received.toString('latin1', 0, end);
      const total = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (received.length < total) return;
      const body = received.subarray(end + 4, total);
      received = received.subarray(total);
      const headLength = Number(/inference-header-content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      onReply(Number(head.slice(9, 12)), body, headLength);
    }
  };
}

/** One connection with one request under way at a time. */
function connect(number) {
  return new Promise((resolve) => {
    const socket = net.connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    let pending;
    let sent = 0;
    const next = () => {
      if (ledger.sentRows >= wantedRows) return socket.end();
      const { model, make } = models[below(models.length)];
      const rows = 1 + below(random() < 0.5 ? 4 : 24);
      const id = `${number}-${(sent += 1)}`;
      const request = make(rows);
      const { body, headLength } = encode(id, request);
      pending = { id, model, rows, request };
      ledger.sentRows += rows;
      ledger.requests += 1;
      const form = headLength >= 0 ? `Inference-Header-Content-Length: ${headLength}\r\n` : '';
      const head = `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: check\r\n${form}Content-Length: ${body.length}\r\n\r\n`;
      return socket.write(Buffer.concat([Buffer.from(head), body]));
    };
    const settle = (status, body, headLength) => {
      if (pending === undefined) return (ledger.double += 1);
      const { id, model, rows, request } = pending;
      pending = undefined;
      if (isRight(id, request, status, body, headLength)) {
        ledger.right += 1;
        ledger.rightRows += rows;
      } else if ((ledger.wrong += 1) <= SHOWN_WRONG) {
        console.error('wrong:', model, id, status, body.toString('latin1').slice(0, 300));
      }
      return next();
    };
    socket.on('data', replyReader(settle));
    // The error is followed by 'close'.
    socket.on('error', (error) => console.error(`connection ${number}: ${error.message}`));
    socket.on('close', () => {
      if (pending !== undefined) ledger.lost += 1;
      resolve();
    });
    socket.on('connect', next);
  });
}

/** What the server has counted so far, over all its models. */
async function serverCounts() {
  if (values.metrics === undefined) return undefined;
  const text = await (await fetch(values.metrics)).text();
  const sum = (name) =>
    [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'gm'))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    );
  return { requests: sum('sluice_requests_total'), rows: sum('sluice_rows_total') };
}

const before = await serverCounts();
const beganMs = performance.now();
await Promise.all(Array.from({ length: Number(values.connections) }, (_, i) => connect(i)));
const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
const after = await serverCounts();
const { requests, sentRows, rightRows, right, wrong, lost, double } = ledger;
console.log(
  `seed ${values.seed}, ${values.connections} connections, ${models.length} models, ${seconds} s: ${requests} requests of ` +
    `${sentRows} rows; ${right} requests of ${rightRows} rows right, ${wrong} wrong, ${lost} lost, ${double} double`,
);
let isGood = right === requests && rightRows >= wantedRows && wrong + lost + double === 0;
if (after !== undefined) {
  const counted = { requests: after.requests - before.requests, rows: after.rows - before.rows };
  console.log(`the server counted ${counted.requests} requests of ${counted.rows} rows`);
  isGood &&= counted.requests === requests && counted.rows === sentRows;
}
process.exitCode = isGood ? 0 : 1;
