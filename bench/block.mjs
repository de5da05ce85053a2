/**
 * One block: one side of a scenario under load for a few seconds. Answers rate, latency and the server's processor time per
 * request. The generators are separate processes on their own core.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENERATOR, REQUEST_FILES, ROOT } from './paths.mjs';
import { cpuUs, pinned } from './servers.mjs';

const WARM_UP_S = 0.2;
// On a core of its own the generator never sleeps, like a client on another machine: whoever wakes a sleeping one pays for it, and
// on a virtual machine that is more than all the rest of a small request. Polling on a shared core would take the server's.
const LAYOUTS = {
  P1: { server: '0', generator: '1', pollUs: 10_000_000 },
  P2: { server: undefined, generator: undefined },
  P3: { server: '0', generator: '0', pollUs: 0 },
};
/** The generator's: done, but not a valid measurement; the result says why. */
const EXIT_NOT_VALID = 2;

export function coresOf(layout) {
  return LAYOUTS[layout];
}

export function capture(command) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const out = [];
    const errors = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => errors.push(chunk));
    child.on('error', reject);
    child.on('close', (exitCode) => {
      if (exitCode === 0 || exitCode === EXIT_NOT_VALID) return resolve(Buffer.concat(out).toString('utf8'));
      return reject(new Error(`${command.join(' ')}: ${Buffer.concat(errors).toString('utf8').trim()}`));
    });
  });
}

/** How long the generator polls before it sleeps. */
export function pollWords(layout) {
  const { pollUs } = coresOf(layout);
  return pollUs === undefined ? [] : ['--spin-us', String(pollUs)];
}

/** Where to, `words`, and what: the arguments of one run of the generator. */
export function generatorWords(server, side, words) {
  const { request } = side;
  const isWebSocket = side.protocol === 'ws';
  const url = isWebSocket ? server.url.replace('http:', 'ws:') + request.path : server.url;
  const args = [url, ...words, '--body', request.bodyFile, '--path', request.path];
  // An echo gives every frame the same answer: there is no id to look for, and the order is that of the requests.
  if (request.form === 'frame' && side.server !== 'echo') args.push('--frames');
  if (side.bundles === true) args.push('--bundles');
  const headers = { ...request.headers, ...side.headers };
  for (const [name, value] of Object.entries(headers)) args.push('--header', `${name}: ${value}`);
  return args;
}

function loadArguments(server, side, scenario, durationS) {
  const { connections, mode = 'closed', rate, inFlight = 1 } = scenario.load;
  const words = ['--mode', mode, '--connections', String(connections), '--duration-s', String(durationS)];
  words.push('--warmup-s', String(WARM_UP_S));
  if (side.protocol === 'ws') words.push('--in-flight', String(inFlight));
  if (rate !== undefined) words.push('--rate', String(rate));
  words.push(...pollWords(scenario.layout));
  return generatorWords(server, side, words);
}

function withinPercent(histogram, percent) {
  return histogram.percentiles.find((entry) => entry.percent === percent).us;
}

async function runLoad(server, side, scenario, durationS) {
  const cores = coresOf(scenario.layout).generator;
  const cpuBefore = cpuUs(server.pid);
  const text = await capture(pinned(cores, [GENERATOR, ...loadArguments(server, side, scenario, durationS)]));
  const result = JSON.parse(text);
  if (!(result.byStatus['200'] === result.replies && result.replies > 0))
    throw new Error(
      `expected only answers with status 200, got ${JSON.stringify(result.byStatus)}: ${result.reasons.join('; ')}`,
    );
  return {
    rate: result.achievedPerS,
    p50Us: withinPercent(result.latency, 50),
    p99Us: withinPercent(result.latency, 99),
    maxUs: result.latency.maxUs,
    serverCpuUs: (cpuUs(server.pid) - cpuBefore) / result.answered,
    generatorCpuUs:
      (result.threads.reduce((sum, { cpuS, spinS }) => sum + cpuS - spinS, 0) * 1e6) / result.replies,
    generatorBusy: Math.max(...result.threads.map((thread) => thread.busyFraction)),
    reasons: result.reasons,
  };
}

async function runWrk(server, side, scenario, durationS) {
  const { request } = side;
  const script = join(REQUEST_FILES, 'wrk.lua');
  const headers = Object.entries(request.headers).map(([name, value]) => `wrk.headers["${name}"]="${value}"`);
  writeFileSync(
    script,
    `wrk.method="POST"\nwrk.body=io.open("${request.bodyFile}","rb"):read("*a")\n${headers.join('\n')}\n`,
  );
  const cpuBefore = cpuUs(server.pid);
  const command = ['wrk', '-t1', `-c${scenario.load.connections}`, `-d${Math.ceil(durationS)}s`, '--latency'];
  const wrk = pinned(coresOf(scenario.layout).generator, [
    ...command,
    '-s',
    script,
    server.url + request.path,
  ]);
  // The shell's `times` tells what wrk itself cost: its last line is of the children.
  const text = await capture(['sh', '-c', '"$@"; times', 'sh', ...wrk]);
  const requests = Number(/(\d+) requests in/.exec(text)[1]);
  const [, userMin, userS, systemMin, systemS] = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(text).map(Number);
  const unitUs = { us: 1, ms: 1000, s: 1e6 };
  const percentile = (percent) => {
    const [, value, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text);
    return Number(value) * unitUs[unit];
  };
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]),
    p50Us: percentile(50),
    p99Us: percentile(99),
    serverCpuUs: (cpuUs(server.pid) - cpuBefore) / requests,
    generatorCpuUs: (((userMin + systemMin) * 60 + userS + systemS) * 1e6) / requests,
    reasons: [],
  };
}

export async function runBlock(server, side, scenario, durationS) {
  if (side.generator === 'wrk') return runWrk(server, side, scenario, durationS);
  return runLoad(server, side, scenario, durationS);
}
