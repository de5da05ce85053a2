#!/usr/bin/env node
// Idle sockets: what one costs the server in memory, and what many of them change for those that are busy. Two servers; the idle
// sockets are at one of them, then at the other, and so on, because two processes of the same server differ for as long as they live.
// Busy sockets ask both at a fixed rate, in short turns that are mirrored: with the idle ones, without, without, with. Two phases,
// one for each server, make one ratio of the p99: the square root of the product of their medians. The p99 is that of slots of
// a tenth of a second, the middle half of them.
// Usage: node bench/ws-idle.mjs [--sockets 10000] [--rate 2000] [--watched 32] [--phases 8] [--rounds 6] [--block-s 1]
//          [--server-cores 0] [--generator-cores 1] [--short] [--out FILE]       short: 500 sockets, 2 phases of 1 round
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { buildAll } from './build.mjs';
import { describeMachine } from './machine.mjs';
import { ROOT } from './paths.mjs';
import { prepareRequest } from './requests.mjs';
import { pause } from './row-connection.mjs';
import { pinned } from './servers.mjs';
import { median, mirroredRatios, ratioText } from './stats.mjs';
import {
  expectOpenFiles,
  metric,
  readOptions,
  residentBytes,
  startMeasured,
  tellDistrusted,
  watchedBlock,
} from './ws-load.mjs';

const { count, phases, rounds, serverCores, outFile, load } = readOptions(
  'sockets',
  { crowd: 10_000, phases: 8, rounds: 6, seconds: 1 },
  { crowd: 500, phases: 2, rounds: 1, seconds: 1 },
);
const MOST_CHANGE = 1.1;
const SETTLE_MS = 1_000;

const sockets = (server) => metric(server, 'sluice_ws_sockets ');

/** They are clients on other machines: where they answer a ping they must not take the watched ones' time. */
async function openIdle(server) {
  const port = new URL(server.url).port;
  const command = ['nice', '-n', '10', process.execPath, 'bench/idle-sockets.mjs', port, String(count)];
  const [file, ...words] = pinned(load.cores, command);
  const child = spawn(file, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  if ((await sockets(server)) !== count)
    throw new Error(`expected ${count} open sockets, got ${await sockets(server)}`);
  await pause(SETTLE_MS);
  return child;
}

async function closeIdle(server, child) {
  const left = await sockets(server);
  if (left !== count) throw new Error(`${count - left} idle sockets were ended by the server`);
  child.kill('SIGKILL');
  while ((await sockets(server)) !== 0) await pause(50);
  await pause(SETTLE_MS);
}

/** The turns of one phase in their order. */
async function phase(crowded, bare) {
  const turns = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? [crowded, bare, bare, crowded] : [bare, crowded, crowded, bare];
    for (const server of order) {
      const block = await watchedBlock(server, request, { ...load, polls: true });
      turns.push({ isCrowded: server === crowded, ...block });
    }
  }
  return turns;
}

expectOpenFiles(count);
buildAll();
const request = prepareRequest('tinyFrame');
const flags = [`--ws-sockets=${count + 1000}`];
const servers = [await startMeasured(flags, serverCores), await startMeasured(flags, serverCores)];
let child;
try {
  for (const server of servers) await watchedBlock(server, request, load);
  await pause(SETTLE_MS);
  const bytesEach = [];
  const found = [];
  for (let at = 0; at < phases; at += 1) {
    const [crowded, bare] = at % 2 === 0 ? servers : servers.toReversed();
    const beforeBytes = residentBytes(crowded.pid);
    child = await openIdle(crowded);
    // Later ones find memory that the first ones left.
    if (at < servers.length) bytesEach.push((residentBytes(crowded.pid) - beforeBytes) / count);
    const turns = await phase(crowded, bare);
    await closeIdle(crowded, child);
    child = undefined;
    const { changes, alike } = mirroredRatios(
      turns,
      ({ isCrowded }) => isCrowded,
      ({ calmP99Us }) => calmP99Us,
    );
    const text = (isCrowded, key) =>
      median(turns.filter((turn) => turn.isCrowded === isCrowded).map((turn) => turn[key])).toFixed(0);
    console.log(
      `phase ${at + 1}: p50 ${text(false, 'p50Us')} -> ${text(true, 'p50Us')} us, ` +
        `p99 ${text(false, 'p99Us')} -> ${text(true, 'p99Us')} us, ` +
        `of slots ${text(false, 'calmP99Us')} -> ${text(true, 'calmP99Us')} us, x ${median(changes).toFixed(3)}`,
    );
    found.push({ turns, ratio: median(changes), alike });
  }
  const changes = found.flatMap(({ ratio }, at) =>
    at % 2 === 1 ? [Math.sqrt(found[at - 1].ratio * ratio)] : [],
  );
  const isMet = median(changes) <= MOST_CHANGE;
  console.log(
    `${count} idle sockets: ${bytesEach.map((bytes) => Math.round(bytes)).join(' and ')} bytes of RSS each`,
  );
  console.log(
    `p99 of slots, with them over without: ${ratioText(changes, 3)}, target at most ${MOST_CHANGE}: ${isMet ? 'met' : 'MISSED'}`,
  );
  const alike = found.flatMap((one) => one.alike);
  console.log(`p99 of slots of two turns that are alike: ${ratioText(alike, 3)}`);
  tellDistrusted(found.flatMap(({ turns }) => turns));
  const told = { machine: describeMachine(), count, load, bytesEach, changes, isMet, phases: found };
  if (outFile !== undefined) writeFileSync(outFile, `${JSON.stringify(told, null, 1)}\n`);
  process.exitCode = isMet ? 0 : 1;
} finally {
  child?.kill('SIGKILL');
  await Promise.all(servers.map((server) => server.stop()));
}
