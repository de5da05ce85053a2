#!/usr/bin/env node
/**
 * What the hot path leaves behind and for how long it stops: heap growth per million requests, garbage collections, and the
 * longest stall of the event loop while 16 MiB JSON requests go through, seen from inside and by a client beside them.
 * Usage: node bench/alloc.mjs [--millions 1] [--large 5] [--out FILE]
 */
import { writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { buildAll } from './build.mjs';
import { capture } from './block.mjs';
import { describeMachine } from './machine.mjs';
import { GENERATOR, ROOT } from './paths.mjs';
import { prepareRequest } from './requests.mjs';
import { serverCommand, startServer } from './servers.mjs';

const LARGE_BYTES = 16 * 2 ** 20;
const MOST_STALL_MS = 20;
// One small request a millisecond on one connection, timed from when it was due.
const BESIDE = '--mode constant --rate 1000 --connections 1 --warmup-s 0 --duration-s 3'.split(' ');

const { values } = parseArgs({
  options: {
    millions: { type: 'string', default: '1' },
    large: { type: 'string', default: '5' },
    out: { type: 'string' },
  },
});

async function load(server, name, extra) {
  const request = prepareRequest(name);
  const args = [server.url, '--body', request.bodyFile, '--path', request.path];
  for (const [header, value] of Object.entries(request.headers)) args.push('--header', `${header}: ${value}`);
  return JSON.parse(await capture([GENERATOR, ...args, ...extra]));
}

const sendCount = (server, name, count) =>
  load(server, name, ['--connections', '32', '--requests', String(count), '--warmup-s', '0']);

async function measureGrowth(server, name, millions) {
  // Compilers and pools settle first.
  await sendCount(server, name, 200_000);
  const before = await server.askInside();
  const { replies } = await sendCount(server, name, millions * 1_000_000);
  const after = await server.askInside();
  const perMillion = (key) => Math.round(((after[key] - before[key]) / replies) * 1e6);
  return {
    request: name,
    replies,
    heapBytesPerMillion: perMillion('heapUsed'),
    externalBytesPerMillion: perMillion('external'),
    rssBytesPerMillion: perMillion('rss'),
    collections: after.gc.count,
    longestCollectionMs: after.gc.longestMs,
    longestStallMs: after.longestStallMs,
  };
}

/** A V2 request for identity_fp32, filled up to just under 16 MiB. */
function largeBody() {
  const count = Math.floor((LARGE_BYTES - 200) / 10);
  const numbers = Array.from({ length: count }, (_, i) => (1 + (i % 9000) / 10000 + 0.00001).toFixed(7));
  return Buffer.from(
    `{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,${count}],"data":[${numbers.join(',')}]}]}`,
  );
}

function postLarge(server, body) {
  return new Promise((resolve, reject) => {
    const beganMs = performance.now();
    const options = { method: 'POST', headers: { 'content-length': body.length } };
    const sent = httpRequest(`${server.url}/v2/models/identity_fp32/infer`, options, (reply) => {
      let bytes = 0;
      reply.on('data', (chunk) => (bytes += chunk.length));
      reply.on('end', () => resolve({ status: reply.statusCode, bytes, ms: performance.now() - beganMs }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function measureStall(server, count) {
  const body = largeBody();
  const first = await postLarge(server, body);
  if (first.status !== 200)
    throw new Error(`expected 200 for ${body.length} bytes of JSON, got ${first.status}`);
  const rounds = [];
  for (const withLarge of [false, true]) {
    await server.askInside();
    const beside = load(server, 'tinyRaw', BESIDE);
    const large = [];
    for (let i = 0; withLarge && i < count; i += 1) large.push((await postLarge(server, body)).ms);
    const { latency } = await beside;
    const inside = await server.askInside();
    rounds.push({
      largeRequests: large.length,
      largeMs: large.map(Math.round),
      besideMaxMs: latency.maxUs / 1000,
      longestStallMs: inside.longestStallMs,
      longestCollectionMs: inside.gc.longestMs,
    });
  }
  return { bodyBytes: body.length, replyBytes: first.bytes, alone: rounds[0], besideLarge: rounds[1] };
}

buildAll();
const inside = pathToFileURL(join(ROOT, 'bench', 'inside.mjs')).href;
const server = await startServer(serverCommand('sluice'), {
  env: { NODE_OPTIONS: `--expose-gc --import ${inside}` },
});
try {
  const growth = [];
  for (const name of ['tinyRaw', 'tinyJson'])
    growth.push(await measureGrowth(server, name, Number(values.millions)));
  const stall = await measureStall(server, Number(values.large));
  const result = { machine: describeMachine(), growth, stall };
  for (const entry of growth) {
    console.log(
      `${entry.request}: ${entry.replies} requests; per million: heap ${entry.heapBytesPerMillion} B, outside the heap ` +
        `${entry.externalBytesPerMillion} B, resident ${entry.rssBytesPerMillion} B; ${entry.collections} collections, ` +
        `longest ${entry.longestCollectionMs.toFixed(1)} ms; longest stall ${entry.longestStallMs.toFixed(1)} ms`,
    );
  }
  for (const [when, entry] of Object.entries({ alone: stall.alone, 'beside 16 MiB': stall.besideLarge })) {
    const large =
      entry.largeRequests === 0 ? 'no large requests' : `large requests in ${entry.largeMs.join(', ')} ms`;
    console.log(
      `${when}: ${large}; longest stall ${entry.longestStallMs.toFixed(1)} ms, slowest small answer ${entry.besideMaxMs.toFixed(1)} ms`,
    );
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`);
  process.exitCode = stall.besideLarge.longestStallMs < MOST_STALL_MS ? 0 : 1;
} finally {
  await server.stop();
}
