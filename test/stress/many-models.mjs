/**
 * A repository of 1,000 small models: time until ready, memory, threads, and 64 clients over random models.
 * Usage: node test/stress/many-models.mjs [--short]        1,000 models, about a minute; short: 100, about 15 s
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLoad, versionedModel } from './load.mjs';
import { isShort, percentile, processFacts, publish, report, startServer } from './rig.mjs';

const MODELS = isShort ? 100 : 1000;
const SECONDS = isShort ? 4 : 20;
const repository = mkdtempSync(join(tmpdir(), 'sluice-many-'));
publish(repository, 'm0', 1);
const one = await startServer(repository, ['--log-level', 'error']);
const alone = { ...processFacts(one.pid), startMs: one.startMs };
await one.stop();
for (let i = 1; i < MODELS; i += 1) publish(repository, `m${i}`, i + 1);
const server = await startServer(repository, ['--log-level', 'error']);
const many = { ...processFacts(server.pid), startMs: server.startMs };
const models = Array.from({ length: MODELS }, (_, i) => ({ ...versionedModel(`m${i}`), adds: i + 1 }));
const seen = await startLoad({ port: server.port, models, connections: 64, seconds: SECONDS }).result;
const loaded = processFacts(server.pid);
await server.stop();
rmSync(repository, { recursive: true });
const latencies = seen.latenciesMs.sort((left, right) => left - right);
report(
  `${MODELS} models`,
  [
    ['until ready, 1 model / all', `${alone.startMs.toFixed(0)} / ${many.startMs.toFixed(0)} ms`],
    [
      'memory, 1 model / all / after the load',
      `${[alone, many, loaded].map((f) => f.residentMiB.toFixed(0)).join(' / ')} MiB`,
    ],
    ['threads, 1 model / all / after the load', [alone, many, loaded].map((f) => f.threads).join(' / ')],
    ['requests, 64 clients over random models', seen.latenciesMs.length],
    [
      'per second; p50, p99',
      `${Math.round(latencies.length / seen.tookSeconds)}; ${percentile(latencies, 0.5).toFixed(2)}, ${percentile(latencies, 0.99).toFixed(2)} ms`,
    ],
    ['first failures', JSON.stringify(seen.failures.slice(0, 3))],
  ],
  [
    ['no answer was wrong', seen.wrong === 0],
    ['no request failed', seen.failed === 0 && seen.unanswered === 0],
    ['no thread for a model', many.threads <= alone.threads + 1],
  ],
);
