/**
 * Keeps cores from sleeping while something is measured: on a virtual machine waking a sleeping one costs the waker more than all the
 * rest of a small request, and differs from minute to minute. The loop has the idle policy: it gives way to anybody at once.
 */
import { spawn } from 'node:child_process';

/** A loop on each of the two cores that the layouts use; answers what ends them. */
export function keepAwake() {
  const loop = [process.execPath, '-e', `while (process.ppid === ${process.pid});`];
  const children = ['0', '1'].map((core) =>
    spawn('taskset', ['-c', core, 'chrt', '--idle', '0', ...loop], { stdio: 'ignore' }),
  );
  return () => children.forEach((child) => child.kill('SIGKILL'));
}
