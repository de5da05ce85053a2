/**
 * Loaded into a server under test with `--import`: on SIGUSR2 it collects garbage and prints one line with what only the
 * process itself can know, counted since the last such line. Runs on the server's loop, and costs it a timer a millisecond.
 */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

let collections = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collections.push(duration);
}).observe({ entryTypes: ['gc'] });

process.on('SIGUSR2', () => {
  // Taken first: the collection below is no stall of the server's own.
  const longestStallMs = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
  const gc = { count: collections.length, longestMs: Math.max(0, ...collections) };
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  console.log(`inside ${JSON.stringify({ heapUsed, external, arrayBuffers, rss, longestStallMs, gc })}`);
  setImmediate(() => {
    delay.reset();
    collections = [];
  });
});
