#!/usr/bin/env node
// Row-by-row truth under load: many connections send requests of random models, batch sizes and wire forms, and every element
// of every answer is compared with what it must be. The ledger counts requests answered right, wrong, not at all, or twice;
// with --metrics, the server's own counts must agree with it.
// Usage: node bench/check-rows.mjs http://host:port [--rows 1000000] [--connections 64] [--seed 1] [--metrics URL]
//   [--models build/models]   the repository that the server serves, as made by scripts/make-models.mjs
//   [--abandoned 0.1]         share of requests whose connection is broken off, at a random moment of the request
//   [--deadlines 0.1]         share with a deadline of 1 to 20 ms, which may be answered 503 or 504 instead
//   [--faults 0.1]            share of add_sub's that ask for a fault (the server must be bench/faulty-server.mjs)
// Exit code 1 unless everything was right.
import { parseArgs } from 'node:util';
import { openConnection } from './row-connection.mjs';
import { markFault } from './row-faults.mjs';
import { modelsWithTruth, seededRandom } from './row-truth.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    connections: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    metrics: { type: 'string' },
    models: { type: 'string', default: 'build/models' },
    abandoned: { type: 'string', default: '0' },
    deadlines: { type: 'string', default: '0' },
    faults: { type: 'string', default: '0' },
  },
});
const SHOWN_WRONG = 5;
const url = new URL(positionals[0] ?? 'http://127.0.0.1:8000');
const wantedRows = Number(values.rows);
const chance = seededRandom(Number(values.seed));
const { random, below } = chance;
const models = await modelsWithTruth(values.models, chance);
const shares = {
  abandoned: Number(values.abandoned),
  deadlines: Number(values.deadlines),
  faults: Number(values.faults),
};
const ledger = {
  ...{ requests: 0, sentRows: 0, rightRows: 0, right: 0, wrong: 0, lost: 0, double: 0 },
  ...{ abandoned: 0, abandonedRows: 0, late: 0, lateRows: 0, failed: 0, failedRows: 0 },
};

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

/** A request of a random model, size and wire form, and what may come back. */
function makeRequest(id) {
  const { model, make } = models[below(models.length)];
  const rows = 1 + below(random() < 0.5 ? 4 : 24);
  const request = make(rows);
  const fault = model === 'add_sub' && random() < shares.faults ? markFault(request, chance) : undefined;
  const timeoutMs = random() < shares.deadlines ? 1 + below(20) : undefined;
  const { body, headLength } = encode(id, request);
  const form = headLength >= 0 ? `Inference-Header-Content-Length: ${headLength}\r\n` : '';
  const time = timeoutMs === undefined ? '' : `Sluice-Deadline-Ms: ${timeoutMs}\r\n`;
  const head = `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: check\r\n${form}${time}Content-Length: ${body.length}\r\n\r\n`;
  return { id, model, rows, request, fault, timeoutMs, head: Buffer.from(head), body };
}

/** Sends until enough rows are on their way; a connection that was abandoned on purpose is followed by another. */
async function work(number) {
  let sent = 0;
  while (ledger.sentRows < wantedRows) {
    const connection = await openConnection(url);
    while (ledger.sentRows < wantedRows && connection.isOpen) {
      const made = makeRequest(`${number}-${(sent += 1)}`);
      ledger.requests += 1;
      ledger.sentRows += made.rows;
      if (random() < shares.abandoned) {
        await connection.abandon(made, chance);
        ledger.abandoned += 1;
        ledger.abandonedRows += made.rows;
      } else settle(made, await connection.ask(made));
    }
    ledger.double += connection.unasked;
    connection.close();
  }
}

function settle(made, reply) {
  if (reply === undefined) return void (ledger.lost += 1);
  const { id, model, rows, request, fault, timeoutMs } = made;
  const { status, body, headLength } = reply;
  if (timeoutMs !== undefined && (status === 504 || status === 503)) {
    ledger.late += 1;
    ledger.lateRows += rows;
  } else if (fault?.status === status && status !== 200) {
    ledger.failed += 1;
    ledger.failedRows += rows;
  } else if (
    isRight(id, request, status, body, headLength) &&
    (fault === undefined || fault.status === 200)
  ) {
    ledger.right += 1;
    ledger.rightRows += rows;
  } else if ((ledger.wrong += 1) <= SHOWN_WRONG) {
    console.error('wrong:', model, id, status, body.toString('latin1').slice(0, 300));
  }
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
await Promise.all(Array.from({ length: Number(values.connections) }, (_, i) => work(i)));
const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
const after = await serverCounts();
const { requests, sentRows, rightRows, right, wrong, lost, double } = ledger;
console.log(
  `seed ${values.seed}, ${values.connections} connections, ${models.length} models, ${seconds} s: ${requests} requests of ` +
    `${sentRows} rows; ${right} requests of ${rightRows} rows right, ${wrong} wrong, ${lost} lost, ${double} double`,
);
const isChaos = Object.values(shares).some((share) => share > 0);
if (isChaos) {
  console.log(
    `on purpose: ${ledger.abandoned} abandoned (${ledger.abandonedRows} rows), ${ledger.late} past their deadline ` +
      `(${ledger.lateRows} rows), ${ledger.failed} failed as asked (${ledger.failedRows} rows)`,
  );
}
const settled = right + ledger.abandoned + ledger.late + ledger.failed;
let isGood = settled === requests && sentRows >= wantedRows && wrong + lost + double === 0;
if (after !== undefined && !isChaos) {
  const counted = { requests: after.requests - before.requests, rows: after.rows - before.rows };
  console.log(`the server counted ${counted.requests} requests of ${counted.rows} rows`);
  isGood &&= counted.requests === requests && counted.rows === sentRows;
}
process.exitCode = isGood ? 0 : 1;
