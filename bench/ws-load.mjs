/**
 * What the WebSocket scripts share: a server of this tree with the measured models, a fixed rate of frames from the native
 * generator as the clients that are watched, and what the system says of the server.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.mjs';
import { capture, generatorWords, pollWords } from './block.mjs';
import { GENERATOR, MODELS } from './paths.mjs';
import { pinned, startServer } from './servers.mjs';
import { calmP99Us } from './stats.mjs';

const MIB = 1024 * 1024;
const SPARE_FILES = 256;
const SLOT_S = 0.1;

/**
 * The options of such a script: `crowd` names the one that says how many others there are. Without --short the numbers of `usual`
 * are taken, with it those of `short`; both are `{ crowd, phases, rounds, seconds }`; phases are not for all.
 */
export function readOptions(crowd, usual, short) {
  const { values } = parseArgs({
    options: {
      [crowd]: { type: 'string' },
      rate: { type: 'string', default: '2000' },
      watched: { type: 'string', default: '32' },
      phases: { type: 'string' },
      rounds: { type: 'string' },
      'block-s': { type: 'string' },
      // 'all': not pinned.
      'server-cores': { type: 'string', default: '0' },
      'generator-cores': { type: 'string', default: '1' },
      short: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const coresOf = (text) => (text === 'all' ? undefined : text);
  const preset = values.short ? short : usual;
  return {
    count: Number(values[crowd] ?? preset.crowd),
    phases: Number(values.phases ?? preset.phases),
    rounds: Number(values.rounds ?? preset.rounds),
    serverCores: coresOf(values['server-cores']),
    outFile: values.out,
    load: {
      connections: Number(values.watched),
      ratePerS: Number(values.rate),
      seconds: Number(values['block-s'] ?? preset.seconds),
      cores: coresOf(values['generator-cores']),
    },
  };
}

export function startMeasured(flags, cores, repository = MODELS) {
  return startServer(
    ['dist/cli/main.js', 'serve', repository, '--port=0', '--admin-port=0', '--log-level=error', ...flags],
    { cores },
  );
}

/**
 * One block of watched clients, open loop: { p50Us, p99Us, calmP99Us, replies, reasons }. `polls`: the generator never sleeps, where
 * its core is its own.
 */
export async function watchedBlock(
  server,
  request,
  { connections, ratePerS, seconds, cores, polls = false },
) {
  const words = ['--mode', 'poisson', '--rate', String(ratePerS), '--connections', String(connections)];
  words.push('--in-flight', '4', '--duration-s', String(seconds), '--warmup-s', '0.3');
  words.push('--timeline-s', String(SLOT_S));
  if (polls && cores !== undefined) words.push(...pollWords('P1'));
  const side = { request, protocol: 'ws' };
  const endAwake = keepAwake();
  const text = await capture(pinned(cores, [GENERATOR, ...generatorWords(server, side, words)])).finally(
    endAwake,
  );
  const { byStatus, replies, latency, reasons, timeline } = JSON.parse(text);
  if (!(byStatus['200'] === replies && replies > 0))
    throw new Error(`expected only answers with status 200, got ${JSON.stringify(byStatus)}: ${reasons}`);
  const at = (wanted) => latency.percentiles.find(({ percent }) => percent === wanted).us;
  return { p50Us: at(50), p99Us: at(99), calmP99Us: calmP99Us(timeline), replies, reasons };
}

export function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

export const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

/** Says what to do where this process, and so its children, may not open so many sockets. */
export function expectOpenFiles(needed) {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const most = line[2] === 'unlimited' ? Infinity : Number(line[2]);
  if (most >= needed + SPARE_FILES) return;
  throw new Error(
    `expected a limit of at least ${needed + SPARE_FILES} open files for ${needed} sockets, got ${most}: ` +
      `raise it with "ulimit -Hn" or ask for fewer sockets`,
  );
}

/** The value of one sample of the metrics page; 0 where it is not there. */
export async function metric(server, name, label = '') {
  const text = await (await fetch(server.metricsUrl)).text();
  const found = text.split('\n').find((line) => line.startsWith(name) && line.includes(label));
  return found === undefined ? 0 : Number(found.split(' ').at(-1));
}

export function tellDistrusted(blocks) {
  const distrusted = blocks.filter(({ reasons }) => reasons.length > 0).length;
  console.log(`blocks that their generator calls not valid: ${distrusted} of ${blocks.length}`);
}
