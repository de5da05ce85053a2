/**
 * Servers under test as child processes on a free port of the loopback: start, processor time, stop. Each runs in a process
 * of its own, pinned before it starts, so that it sizes its threads for what it may use.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { MODELS, ROOT, SPLIT_MODELS, UNBATCHED_MODELS } from './paths.mjs';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;

const serve = (repository) => [
  'dist/cli/main.js',
  'serve',
  repository,
  '--port=0',
  '--admin-port=0',
  '--log-level=warn',
];

/** Arguments of Node for a server by name; an echo needs the reply that it gives. */
export function serverCommand(server, reply) {
  if (server === 'sluice') return serve(MODELS);
  if (server === 'sluice-one-worker') return [...serve(MODELS), '--workers=1'];
  if (server === 'sluice-unbatched') return serve(UNBATCHED_MODELS);
  if (server === 'sluice-split') return serve(SPLIT_MODELS);
  if (server === 'fastify') return ['bench/baselines/fastify-ort.mjs', MODELS];
  if (server === 'echo') {
    const { replyFile, contentType, headLength } = reply;
    return [
      'bench/baselines/echo-uws.mjs',
      `--reply=${replyFile}`,
      `--content-type=${contentType}`,
      `--head-length=${headLength}`,
    ];
  }
  throw new Error(`no server is called ${server}`);
}

/** The same command on some cores only. */
export function pinned(cores, command) {
  return cores === undefined ? command : ['taskset', '-c', cores, ...command];
}

/** Resolves once the server says where it listens. */
export async function startServer(args, { cores, env = {} } = {}) {
  const [file, ...rest] = pinned(cores, [process.execPath, ...args]);
  const child = spawn(file, rest, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors = [];
  child.stderr.on('data', (chunk) => errors.push(chunk));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const found = { url: undefined, metricsUrl: undefined };
  let timer;
  const listening = new Promise((resolve, reject) => {
    const failed = (why) =>
      reject(new Error(`${args[0]} ${why}: ${Buffer.concat(errors).toString('utf8').trim().slice(-800)}`));
    timer = setTimeout(() => failed('does not listen after 120 s'), START_LIMIT_MS);
    createInterface(child.stdout).on('line', (line) => {
      found.metricsUrl ??= /metrics on (http:\S+)/.exec(line)?.[1];
      found.url ??= /^listening on (http:\/\/[^\s/]+)/.exec(line)?.[1];
      if (found.url !== undefined) resolve();
      const inside = /^inside (.*)$/.exec(line)?.[1];
      if (inside !== undefined) found.onInside?.(JSON.parse(inside));
    });
    child.on('error', (error) => failed(error.message));
    child.on('exit', (exitCode) => failed(`ended with ${exitCode}`));
  });
  try {
    await listening;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const { url, metricsUrl } = found;
  return {
    url,
    metricsUrl,
    pid: child.pid,
    stop: () => stop(child, ended),
    /** What inside.mjs says; only where the server was started with it. */
    askInside: () =>
      new Promise((resolve) => {
        found.onInside = resolve;
        child.kill('SIGUSR2');
      }),
  };
}

async function stop(child, ended) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

const threadCpuUs = (pid, thread) =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;

/** Processor time of all threads of a process so far, in microseconds; no number where somebody else started it. */
export function cpuUs(pid) {
  if (pid === undefined) return NaN;
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadCpuUs(pid, thread), 0);
}

/** The same of its first thread alone, which is the one with the event loop. */
export const loopCpuUs = (pid) => (pid === undefined ? NaN : threadCpuUs(pid, pid));
