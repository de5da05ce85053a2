#!/usr/bin/env node
// Clients that ask for big answers and read one byte a second: what they change for those that read well, what they cost the
// server in memory, and that each is closed with 1013 and counted. In turns without and with them; a new one comes for each
// that was closed. Every second round has its turns the other way round.
// Usage: node bench/ws-slow-readers.mjs [--readers 100] [--rate 2000] [--watched 32] [--rounds 5] [--block-s 10]
//          [--server-cores 0] [--generator-cores 1] [--short] [--out FILE]       short: 10 readers, 1 round of 2 s
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FrameWriter } from '../dist/client/frame-writer.js';
import { constant, model, node, value } from '../scripts/models/graph-builder.mjs';
import { buildAll } from './build.mjs';
import { describeMachine } from './machine.mjs';
import { BENCH_BUILD, MODELS } from './paths.mjs';
import { messageBytes, RawWs } from './raw-ws.mjs';
import { prepareRequest } from './requests.mjs';
import { pause } from './row-connection.mjs';
import { median } from './stats.mjs';
import {
  expectOpenFiles,
  metric,
  mib,
  readOptions,
  residentBytes,
  startMeasured,
  tellDistrusted,
  watchedBlock,
} from './ws-load.mjs';

const { count, rounds, serverCores, outFile, load } = readOptions(
  'readers',
  { crowd: 100, rounds: 5, seconds: 10 },
  { crowd: 10, rounds: 1, seconds: 2 },
);
const MOST_CHANGE = 1.1;
const MODEL = 'bulk';
const ANSWER_FLOATS = 16 * 1024;
/** Asked at once: together they are more than a client may leave unread. */
const BURST = 24;
const BURST_EVERY_MS = 20_000;
/** Until the buffers of the system are full: what comes then waits in the server. */
const FILL_EVERY_MS = 400;
const BYTE_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 100;
const FILL_LIMIT_MS = 60_000;
const UNREAD_LIMIT_BYTES = 1024 * 1024;
/** What a socket may hold: the unread limit, a burst on top of it, and the growth of a buffer that doubles. */
const MOST_BYTES_EACH = 2 * (UNREAD_LIMIT_BYTES + BURST * ANSWER_FLOATS * 4);

function makeRepository() {
  const repository = join(BENCH_BUILD, 'models-slow');
  rmSync(repository, { recursive: true, force: true });
  mkdirSync(join(repository, MODEL, '1'), { recursive: true });
  symlinkSync(join(MODELS, 'tiny'), join(repository, 'tiny'));
  const row = Float32Array.from({ length: ANSWER_FLOATS }, (_, index) => index);
  const bytes = model(MODEL, {
    inputs: [value('INPUT0', 'FP32', ['batch', 1])],
    outputs: [value('OUTPUT0', 'FP32', ['batch', ANSWER_FLOATS])],
    nodes: [node('Add', ['INPUT0', 'row'], ['OUTPUT0'])],
    constants: [constant('row', 'FP32', [1, ANSWER_FLOATS], row)],
  });
  writeFileSync(join(repository, MODEL, '1', 'model.onnx'), bytes);
  return repository;
}

const writer = new FrameWriter();
const input = { name: 'INPUT0', datatype: 'FP32', shape: [1, 1], bytes: new Uint8Array(4) };
let lastId = 0;

function burst() {
  const messages = Array.from({ length: BURST }, () => {
    const id = (lastId = (lastId % 1_000_000_000) + 1);
    return messageBytes(
      writer.writeRequest({ id, model: MODEL, modelNumber: 0, deadlineMs: 0, options: {} }, [input]),
    );
  });
  return Buffer.concat(messages);
}

/** So many slow readers at any time, until `stop`. */
class Crowd {
  #sockets = new Set();
  #timers = new Set();
  #isOver = false;
  everyMs = FILL_EVERY_MS;

  constructor(port) {
    this.port = port;
    for (let index = 0; index < count; index += 1)
      this.#later((index * FILL_EVERY_MS) / count, () => this.#open());
  }

  stop() {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const ws of this.#sockets) ws.drop();
  }

  async #open() {
    const ws = await RawWs.open(this.port, { onEnd: () => this.#ended(ws) }).catch(() => undefined);
    if (ws === undefined || this.#isOver) return ws?.drop();
    ws.socket.pause();
    this.#sockets.add(ws);
    this.#ask(ws);
    this.#readByte(ws);
  }

  #ended(ws) {
    if (!this.#sockets.delete(ws) || this.#isOver) return;
    this.#later(0, () => this.#open());
  }

  #ask(ws) {
    if (!this.#sockets.has(ws)) return;
    ws.send(burst());
    this.#later(this.everyMs, () => this.#ask(ws));
  }

  #readByte(ws) {
    if (!this.#sockets.has(ws)) return;
    ws.socket.read(1);
    this.#later(BYTE_EVERY_MS, () => this.#readByte(ws));
  }

  #later(ms, what) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void what();
    }, ms);
    this.#timers.add(timer);
  }
}

const closed = (server) => metric(server, 'sluice_ws_ended_total', 'reason="slow_reader"');
const open = (server) => metric(server, 'sluice_ws_sockets ');

async function until(holds, limitMs, what) {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`expected ${what} within ${limitMs / 1000} s`);
    await pause(LOOK_EVERY_MS);
  }
}

/** Rows of `{ without, with }` blocks, as lines and as one ratio of the p99 of slots. */
function compareRounds(rounds) {
  const ratios = rounds.map((round) => round.with.calmP99Us / round.without.calmP99Us);
  for (const [index, { without, with: loaded }] of rounds.entries()) {
    const us = ({ p50Us, p99Us, calmP99Us }) =>
      `p50 ${p50Us.toFixed(0)} us, p99 ${p99Us.toFixed(0)} us, of slots ${calmP99Us.toFixed(0)} us`;
    console.log(
      `round ${index + 1}: without ${us(without)}; with ${us(loaded)}; x ${ratios[index].toFixed(3)}`,
    );
  }
  const ratio = { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
  const isMet = ratio.median <= MOST_CHANGE;
  console.log(
    `p99 of slots, with over without: ${ratio.median.toFixed(3)} (${ratio.least.toFixed(3)} - ${ratio.most.toFixed(3)}), ` +
      `target at most ${MOST_CHANGE}: ${isMet ? 'met' : 'MISSED'}`,
  );
  tellDistrusted(rounds.flatMap((round) => [round.without, round.with]));
  return { ratio, isMet };
}

expectOpenFiles(count);
buildAll();
if (load.cores !== undefined) spawnSync('taskset', ['-acp', load.cores, String(process.pid)]);
const request = prepareRequest('tinyFrame');
const server = await startMeasured([], serverCores, makeRepository());
let mostBytes = 0;
let crowd;
const looking = setInterval(
  () => (mostBytes = Math.max(mostBytes, residentBytes(server.pid))),
  LOOK_EVERY_MS,
);
try {
  const port = Number(new URL(server.url).port);
  await watchedBlock(server, request, load);
  const beforeBytes = residentBytes(server.pid);
  const results = [];
  for (let round = 0; round < rounds; round += 1) {
    const result = {};
    for (const isWith of round % 2 === 0 ? [false, true] : [true, false]) {
      const before = await closed(server);
      crowd = isWith ? new Crowd(port) : undefined;
      if (crowd !== undefined)
        await until(
          async () => (await closed(server)) >= before + count,
          FILL_LIMIT_MS,
          'every reader to be closed once',
        );
      if (crowd !== undefined) crowd.everyMs = BURST_EVERY_MS;
      result[isWith ? 'with' : 'without'] = await watchedBlock(server, request, load);
      crowd?.stop();
      await until(async () => (await open(server)) === 0, FILL_LIMIT_MS, 'all sockets to be gone');
    }
    results.push(result);
  }
  const slowClosed = await closed(server);
  const growthBytes = mostBytes - beforeBytes;
  const { ratio, isMet } = compareRounds(results);
  const boundBytes = count * MOST_BYTES_EACH;
  const isBounded = growthBytes <= boundBytes;
  console.log(
    `${count} slow readers: RSS ${mib(beforeBytes)}, at most ${mib(mostBytes)} (${mib(growthBytes / count)} each, ` +
      `bound ${mib(MOST_BYTES_EACH)}: ${isBounded ? 'kept' : 'BROKEN'}); ${slowClosed} closed with 1013`,
  );
  const isCounted = slowClosed >= count;
  const facts = { count, load, beforeBytes, mostBytes, boundBytes, slowClosed, ratio, isMet };
  const told = { machine: describeMachine(), ...facts, rounds: results };
  if (outFile !== undefined) writeFileSync(outFile, `${JSON.stringify(told, null, 1)}\n`);
  process.exitCode = isMet && isBounded && isCounted ? 0 : 1;
} finally {
  crowd?.stop();
  clearInterval(looking);
  await server.stop();
}
