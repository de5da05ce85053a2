#!/usr/bin/env node
// Row-by-row truth under load: many connections send requests of random models, batch sizes and wire forms, and every element
// of every answer is compared with what it must be. The ledger counts requests answered right, wrong, not at all, or twice.
// Usage: node bench/check-rows.mjs http://host:port [--rows 1000000] [--connections 64] [--seed 1]
// The server must serve the models of scripts/make-models.mjs. Exit code 1 unless everything was right.
import net from 'node:net';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    connections: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
  },
});
const url = new URL(positionals[0] ?? 'http://127.0.0.1:8000');
const wantedRows = Number(values.rows);
let state = Number(values.seed) >>> 0;

/** mulberry32: small, seeded, good enough to choose sizes and values. */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
// Multiples of 1/8 are exact in every float type and in JSON.
const eighths = (n) => Array.from({ length: n }, () => (below(2001) - 1000) / 8);
const integers = (n) => Array.from({ length: n }, () => below(200001) - 100000);

const fp32 = {
  name: 'FP32',
  bytes: 4,
  read: (b, i) => b.readFloatLE(i),
  write: (b, v, i) => b.writeFloatLE(v, i),
};
const fp64 = {
  name: 'FP64',
  bytes: 8,
  read: (b, i) => b.readDoubleLE(i),
  write: (b, v, i) => b.writeDoubleLE(v, i),
};
const int32 = {
  name: 'INT32',
  bytes: 4,
  read: (b, i) => b.readInt32LE(i),
  write: (b, v, i) => b.writeInt32LE(v, i),
};
const int64 = {
  name: 'INT64',
  bytes: 8,
  read: (b, i) => Number(b.readBigInt64LE(i)),
  write: (b, v, i) => b.writeBigInt64LE(BigInt(v), i),
};

/** Each model: makes a request of `rows` rows and says what must come back. */
const MODELS = [
  {
    model: 'add_sub',
    make: (rows) => {
      const [a, b] = [eighths(rows * 16), eighths(rows * 16)];
      const shape = [rows, 16];
      return {
        inputs: [tensor('INPUT0', fp32, shape, a), tensor('INPUT1', fp32, shape, b)],
        outputs: [
          tensor(
            'OUTPUT0',
            fp32,
            shape,
            a.map((x, i) => x + b[i]),
          ),
          tensor(
            'OUTPUT1',
            fp32,
            shape,
            a.map((x, i) => x - b[i]),
          ),
        ],
      };
    },
  },
  ...[
    ['identity_fp32', fp32, eighths],
    ['identity_fp64', fp64, eighths],
    ['identity_int32', int32, integers],
    ['identity_int64', int64, integers],
  ].map(([model, type, numbers]) => ({
    model,
    make: (rows) => {
      const shape = [rows, 1 + below(6)];
      const elements = numbers(shape[0] * shape[1]);
      return {
        inputs: [tensor('INPUT0', type, shape, elements)],
        outputs: [tensor('OUTPUT0', type, shape, elements)],
      };
    },
  })),
  {
    model: 'varlen',
    make: (rows) => {
      const length = 1 + below(12);
      const x = eighths(rows * length);
      const sums = Array.from({ length: rows }, (_, r) =>
        x.slice(r * length, (r + 1) * length).reduce((s, v) => s + v, 0),
      );
      return {
        inputs: [tensor('X', fp32, [rows, length], x)],
        outputs: [
          tensor('SUM', fp32, [rows, 1], sums),
          tensor(
            'DOUBLED',
            fp32,
            [rows, length],
            x.map((v) => v * 2),
          ),
        ],
      };
    },
  },
  {
    model: 'external',
    make: (rows) => {
      const ids = Array.from({ length: rows }, () => below(1000));
      const embedding = ids.flatMap((id) => Array.from({ length: 8 }, (_, j) => id + j / 8));
      return {
        inputs: [tensor('ID', int64, [rows, 1], ids)],
        outputs: [tensor('EMBEDDING', fp32, [rows, 8], embedding)],
      };
    },
  },
];

function tensor(name, type, shape, elements) {
  return { name, type, shape, elements };
}

/** A V2 request in JSON, in binary, or with both forms mixed; answers come back in the form asked for. */
function encode(id, { inputs }) {
  const isBinaryReply = random() < 0.5;
  const blobs = [];
  const head = {
    id,
    inputs: inputs.map(({ name, type, shape, elements }) => {
      const entry = { name, shape, datatype: type.name };
      if (random() < 0.5) return { ...entry, data: elements };
      const blob = Buffer.alloc(elements.length * type.bytes);
      elements.forEach((value, i) => type.write(blob, value, i * type.bytes));
      blobs.push(blob);
      return { ...entry, parameters: { binary_data_size: blob.length } };
    }),
    parameters: { binary_data_output: isBinaryReply },
  };
  const json = Buffer.from(JSON.stringify(head));
  return { body: Buffer.concat([json, ...blobs]), headLength: blobs.length > 0 ? json.length : -1 };
}

function isRight(id, { outputs }, status, body, headLength) {
  if (status !== 200) return false;
  const reply = JSON.parse(body.subarray(0, headLength > 0 ? headLength : body.length).toString());
  if (reply.id !== id || reply.outputs.length !== outputs.length) return false;
  let at = headLength > 0 ? headLength : body.length;
  return outputs.every((expected) => {
    const got = reply.outputs.find((output) => output.name === expected.name);
    if (got === undefined || got.datatype !== expected.type.name || `${got.shape}` !== `${expected.shape}`)
      return false;
    const size = got.parameters?.binary_data_size;
    if (size === undefined) {
      return (
        got.data.length === expected.elements.length &&
        got.data.every((value, i) => value === expected.elements[i])
      );
    }
    const { bytes, read } = expected.type;
    const begin = at;
    at += size;
    return (
      size === expected.elements.length * bytes &&
      expected.elements.every((value, i) => read(body, begin + i * bytes) === value)
    );
  });
}

const ledger = { requests: 0, rows: 0, right: 0, wrong: 0, lost: 0, double: 0, sentRows: 0 };

/** One connection with one request in flight at a time. */
function connection(number) {
  return new Promise((resolve) => {
    const socket = net.connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    let received = Buffer.alloc(0);
    let pending;
    let sent = 0;
    const next = () => {
      if (ledger.sentRows >= wantedRows) {
        socket.end();
        resolve();
        return;
      }
      const { model, make } = MODELS[below(MODELS.length)];
      const rows = 1 + below(random() < 0.5 ? 4 : 24);
      const id = `${number}-${(sent += 1)}`;
      const request = make(rows);
      const { body, headLength } = encode(id, request);
      pending = { id, rows, request };
      ledger.sentRows += rows;
      ledger.requests += 1;
      const extra = headLength >= 0 ? `Inference-Header-Content-Length: ${headLength}\r\n` : '';
      socket.write(
        `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: check\r\n${extra}Content-Length: ${body.length}\r\n\r\n`,
      );
      socket.write(body);
    };
    const settle = (status, body, headLength) => {
      if (pending === undefined) {
        ledger.double += 1;
        return;
      }
      const { id, rows, request } = pending;
      pending = undefined;
      if (isRight(id, request, status, body, headLength)) {
        ledger.right += 1;
        ledger.rows += rows;
      } else {
        ledger.wrong += 1;
        if (ledger.wrong <= 5) console.error('wrong:', id, status, body.toString('latin1').slice(0, 300));
      }
      next();
    };
    socket.on('data', (chunk) => {
      received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk;
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = received.toString('latin1', 0, end);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (received.length < end + 4 + length) return;
        const body = received.subarray(end + 4, end + 4 + length);
        received = received.subarray(end + 4 + length);
        settle(
          Number(head.slice(9, 12)),
          body,
          Number(/inference-header-content-length: (\d+)/i.exec(head)?.[1] ?? 0),
        );
      }
    });
    const lose = () => {
      if (pending !== undefined) ledger.lost += 1;
      pending = undefined;
      resolve();
    };
    socket.on('error', lose);
    socket.on('close', lose);
    socket.on('connect', next);
  });
}

const beginMs = performance.now();
await Promise.all(Array.from({ length: Number(values.connections) }, (_, i) => connection(i)));
const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
console.log(
  `seed ${values.seed}, ${values.connections} connections, ${seconds} s: ${ledger.requests} requests, ${ledger.rows} rows right, ` +
    `${ledger.wrong} wrong, ${ledger.lost} lost, ${ledger.double} double`,
);
process.exit(ledger.wrong + ledger.lost + ledger.double === 0 && ledger.rows >= wantedRows ? 0 : 1);
