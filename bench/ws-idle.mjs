#!/usr/bin/env node
// Idle sockets: what one costs the server in memory, and what many of them change for those that are busy. The busy ones ask
// at a fixed rate, in turns without and with the idle ones beside them; every second round has its turns the other way round.
// Usage: node bench/ws-idle.mjs [--sockets 10000] [--rate 2000] [--watched 32] [--rounds 6] [--block-s 5]
//          [--server-cores 0] [--generator-cores 1] [--short] [--out FILE]       short: 500 sockets, 2 rounds of 1 s
import { writeFileSync } from 'node:fs';
import { buildAll } from './build.mjs';
import { describeMachine } from './machine.mjs';
import { messageBytes, OPCODES, RawWs } from './raw-ws.mjs';
import { prepareRequest } from './requests.mjs';
import { pause } from './row-connection.mjs';
import {
  compareRounds,
  expectOpenFiles,
  metric,
  readOptions,
  residentBytes,
  startMeasured,
  watchedBlock,
} from './ws-load.mjs';

const { count, rounds, serverCores, outFile, load } = readOptions(
  'sockets',
  { crowd: 10_000, rounds: 6, seconds: 5 },
  { crowd: 500, rounds: 2, seconds: 1 },
);
const MOST_CHANGE = 1.1;
const AT_ONCE = 64;
const SETTLE_MS = 1_000;

/** Open and silent, but for the pings that the server wants answered. */
async function openIdle(port) {
  const opened = [];
  const open = async () => {
    while (opened.length < count) {
      const place = opened.push(undefined) - 1;
      const ws = await RawWs.open(port, {
        onFrame: (opcode, bytes) => opcode === OPCODES.PING && ws.send(messageBytes(bytes, OPCODES.PONG)),
        onEnd: () => (ended += 1),
      });
      opened[place] = ws;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
  return opened;
}

const sockets = (server) => metric(server, 'sluice_ws_sockets ');

async function untilOpen(server, wanted) {
  while ((await sockets(server)) !== wanted) await pause(50);
}

expectOpenFiles(count);
buildAll();
const request = prepareRequest('tinyFrame');
let ended = 0;
const server = await startMeasured([`--ws-sockets=${count + 1000}`], serverCores);
try {
  const port = Number(new URL(server.url).port);
  const measure = () => watchedBlock(server, request, load);
  await measure();
  await pause(SETTLE_MS);
  const beforeBytes = residentBytes(server.pid);
  let idle = await openIdle(port);
  await untilOpen(server, count);
  await pause(SETTLE_MS);
  const bytesPerSocket = (residentBytes(server.pid) - beforeBytes) / count;
  console.log(`${count} idle sockets: ${Math.round(bytesPerSocket)} bytes of RSS each`);
  const results = [];
  for (let round = 0; round < rounds; round += 1) {
    const result = {};
    for (const isWith of round % 2 === 0 ? [true, false] : [false, true]) {
      if (isWith && idle.length === 0) {
        idle = await openIdle(port);
        await untilOpen(server, count);
      } else if (!isWith && idle.length > 0) {
        for (const ws of idle) ws.onEnd = () => undefined;
        for (const ws of idle) ws.drop();
        idle = [];
        await untilOpen(server, 0);
      }
      await pause(SETTLE_MS);
      result[isWith ? 'with' : 'without'] = await measure();
    }
    results.push(result);
  }
  const { ratio, isMet } = compareRounds(results, { most: MOST_CHANGE });
  if (ended > 0) console.log(`${ended} idle sockets were ended by the server: FAILED`);
  const told = {
    machine: describeMachine(),
    count,
    load,
    bytesPerSocket,
    ended,
    ratio,
    isMet,
    rounds: results,
  };
  if (outFile !== undefined) writeFileSync(outFile, `${JSON.stringify(told, null, 1)}\n`);
  process.exitCode = isMet && ended === 0 ? 0 : 1;
  for (const ws of idle) ws.onEnd = () => undefined;
  for (const ws of idle) ws.drop();
} finally {
  await server.stop();
}
