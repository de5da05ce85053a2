/**
 * Keeps cores from sleeping while something is measured: on a virtual machine waking a sleeping one costs the waker more than all the
 * rest of a small request, and differs from minute to minute. Where the system lets us ask for it (`/dev/cpu_dma_latency`, root), an idle
 * core polls; elsewhere a loop of the idle policy stands on each. Such a loop gives way to anybody at once, but beside a thread of nice 10
 * it still gets one fortieth of the core.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

const LATENCY = '/dev/cpu_dma_latency';
const DRIVER = '/sys/devices/system/cpu/cpuidle/current_driver';

/** Idle cores poll for as long as the file is open. undefined: not here. */
function askForPolling() {
  try {
    if (readFileSync(DRIVER, 'utf8').trim() === 'none') return undefined;
    const file = openSync(LATENCY, 'w');
    // Microseconds that waking may take, as the 32-bit number that the file expects.
    writeSync(file, Buffer.alloc(4));
    return file;
  } catch {
    return undefined;
  }
}

/** For the two cores that the layouts use; answers what ends it. It also ends with this process. */
export function keepAwake() {
  const file = askForPolling();
  if (file !== undefined) return () => closeSync(file);
  const loop = [process.execPath, '-e', `while (process.ppid === ${process.pid});`];
  const children = ['0', '1'].map((core) =>
    spawn('taskset', ['-c', core, 'chrt', '--idle', '0', ...loop], { stdio: 'ignore' }),
  );
  return () => children.forEach((child) => child.kill('SIGKILL'));
}
