/**
 * How many CPUs, and which, the process may use: limits of its cgroup (v1 and v2) and its affinity mask, from the texts
 * of the kernel's files. Pure but for `fileText`; every other function is given what reads a file.
 */
import { readFileSync } from 'node:fs';

/** undefined where there is no such file. */
export type ReadText = (path: string) => string | undefined;

const CGROUP_ROOT = '/sys/fs/cgroup';
/** What a mask of the C library holds. */
const MOST_CPUS = 1024;

export const fileText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** `0-3,6` as numbers, ascending; undefined for what is no list of CPUs. */
export function readCpuList(text: string): number[] | undefined {
  const cpus = new Set<number>();
  for (const part of text.trim().split(',')) {
    const [, first, last] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? [];
    const from = Number(first);
    const to = Number(last ?? first);
    if (first === undefined || from > to || to >= MOST_CPUS) return undefined;
    for (let cpu = from; cpu <= to; cpu += 1) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The CPUs of the affinity mask, which says also what a cpuset allows; undefined where the system does not tell. */
export function allowedCpus(read: ReadText): number[] | undefined {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('/proc/self/status') ?? '') ?? [];
  return list === undefined ? undefined : readCpuList(list);
}

/** A group and all that it lies in: each may have a limit of its own. */
function withAncestors(root: string, path: string): string[] {
  const steps = path.split('/').filter((step) => step !== '' && step !== '..');
  return [root, ...steps.map((_, index) => `${root}/${steps.slice(0, index + 1).join('/')}`)];
}

function quotient(quota: string | undefined, period: string | undefined): number {
  const cpus = Number(quota) / Number(period);
  return cpus > 0 && Number.isFinite(cpus) ? cpus : Infinity;
}

/** CPUs' worth of time that the process's cgroups allow; Infinity without a limit. */
export function cpuQuota(read: ReadText): number {
  let least = Infinity;
  for (const line of (read('/proc/self/cgroup') ?? '0::/').split('\n')) {
    const [, controllers = '', path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers === '') {
      for (const folder of withAncestors(CGROUP_ROOT, path)) {
        const [quota, period] = (read(`${folder}/cpu.max`) ?? 'max').trim().split(/\s+/);
        least = Math.min(least, quotient(quota, period));
      }
    } else if (controllers.split(',').includes('cpu')) {
      for (const root of [`${CGROUP_ROOT}/cpu`, `${CGROUP_ROOT}/${controllers}`]) {
        for (const folder of withAncestors(root, path)) {
          // Without a limit the quota is -1.
          const quota = read(`${folder}/cpu.cfs_quota_us`);
          least = Math.min(least, quotient(quota, read(`${folder}/cpu.cfs_period_us`)));
        }
      }
    }
  }
  return least;
}

/** One CPU is left to the event loop, as long as the workers have another. */
export function defaultWorkers(cpus: number, quota: number): number {
  return Math.max(1, Math.floor(Math.min(cpus, quota)) - 1);
}
