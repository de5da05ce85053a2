/** The machine, the versions and the commit that a result belongs to; and how much of the machine others took meanwhile. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

function git(...args) {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

function packageVersion(name) {
  try {
    return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

function cpuFlags() {
  const known = ['avx2', 'avx512f', 'avx512_vnni', 'amx_tile', 'asimd', 'sve'];
  const text = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  return known.filter((flag) => text.split(' ').includes(flag));
}

export function describeMachine() {
  return {
    processor: cpus()[0].model,
    cores: cpus().length,
    flags: cpuFlags(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    arch: arch(),
    node: process.version,
    uWebSockets: packageVersion('uWebSockets.js'),
    onnxruntime: packageVersion('onnxruntime-node'),
    fastify: packageVersion('fastify'),
    commit: git('rev-parse', '--short=12', 'HEAD'),
    hasLocalChanges: git('status', '--porcelain', '--untracked-files=no') !== '',
  };
}

/** Ticks of the machine's processors by kind, since it started. */
function processorTicks() {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0];
  const [user, nice, system, idle, wait, irq, softIrq, steal] = line.trim().split(/\s+/).slice(1).map(Number);
  return { steal, total: user + nice + system + idle + wait + irq + softIrq + steal };
}

/** Call the result at the end: share of time that the hypervisor took, and the load then. */
export function watchMachine() {
  const before = processorTicks();
  return () => {
    const after = processorTicks();
    return {
      stealShare: (after.steal - before.steal) / Math.max(1, after.total - before.total),
      loadAverage: loadavg()[0],
    };
  };
}
