/** Facts about the machine for `sluice doctor`: tools of the build, CPUs and their limits, memory, GPU. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { cpuQuota, defaultWorkers, fileText } from '../core/cpus.js';

export interface Finding {
  /** note: works without it, or less well. */
  readonly state: 'ok' | 'note' | 'missing';
  readonly what: string;
  readonly found: string;
  readonly mend?: string;
}

const TOOL_TIMEOUT_MS = 5000;
const LEAST_NODE = [20, 17] as const;
const run = promisify(execFile);

async function firstLineOf(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(command, args, { timeout: TOOL_TIMEOUT_MS });
    return stdout.split('\n', 1)[0]?.trim() ?? '';
  } catch {
    return undefined;
  }
}

/** Needed to build the addon; one that is already built runs without them. */
const TOOLS: ReadonlyArray<readonly [name: string, debianPackage: string]> = [
  ['g++', 'g++'],
  ['make', 'make'],
  ['cmake', 'cmake'],
  ['git', 'git'],
];

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isEnough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (isEnough) return { state: 'ok', what: 'Node.js', found: process.version };
  const mend = `install Node.js ${LEAST_NODE.join('.')} or later`;
  return { state: 'missing', what: 'Node.js', found: process.version, mend };
}

export async function checkTools(): Promise<Finding[]> {
  const tools = TOOLS.map(async ([name, debianPackage]): Promise<Finding> => {
    const version = await firstLineOf(name, '--version');
    if (version !== undefined) return { state: 'ok', what: name, found: version };
    const mend = `apt-get install ${debianPackage}`;
    return { state: 'note', what: name, found: 'not found; needed only to build', mend };
  });
  return [checkNode(), ...(await Promise.all(tools))];
}

async function cgroupFile(name: string): Promise<string | undefined> {
  try {
    return (await readFile(`/sys/fs/cgroup/${name}`, 'utf8')).trim();
  } catch {
    return undefined;
  }
}

function checkCpus(): Finding {
  const cpus = availableParallelism();
  const quota = cpuQuota(fileText);
  const limit = quota >= cpus ? 'no cgroup limit below that' : `the cgroup allows ${quota.toFixed(1)}`;
  const workers = defaultWorkers(cpus, quota);
  return { state: 'ok', what: 'CPUs', found: `${cpus}, ${limit}; workers by default: ${workers}` };
}

async function checkMemory(): Promise<Finding> {
  const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const limit = await cgroupFile('memory.max');
  const limited =
    limit === undefined || limit === 'max' ? 'no cgroup limit' : `cgroup allows ${gib(Number(limit))}`;
  return { state: 'ok', what: 'memory', found: `${gib(totalmem())}, ${limited}` };
}

async function checkGpu(): Promise<Finding> {
  const gpu = await firstLineOf(
    'nvidia-smi',
    '--query-gpu=name,driver_version,memory.total',
    '--format=csv,noheader',
  );
  if (gpu !== undefined && gpu !== '') return { state: 'ok', what: 'GPU', found: gpu };
  return { state: 'note', what: 'GPU', found: 'none seen (nvidia-smi); models run on the CPU' };
}

export async function checkMachine(): Promise<Finding[]> {
  return [checkCpus(), ...(await Promise.all([checkMemory(), checkGpu()]))];
}
