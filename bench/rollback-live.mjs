/**
 * Versions change places while a load runs: promote, roll back, split and end of split by the admin API, one after another for as
 * long as it lasts. Answers how many requests failed (none may) and how long a change took, from the call to its answer; from
 * the answer on every new request is routed by it.
 *   node bench/rollback-live.mjs [--duration-s 30] [--connections 32]
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { capture } from './block.mjs';
import { buildAll } from './build.mjs';
import { BENCH_BUILD, GENERATOR, MODELS } from './paths.mjs';
import { prepareRequest } from './requests.mjs';
import { startServer } from './servers.mjs';

const REPOSITORY = join(BENCH_BUILD, 'models-rollback');

const { values } = parseArgs({
  options: {
    'duration-s': { type: 'string', default: '30' },
    connections: { type: 'string', default: '32' },
  },
});

function makeRepository() {
  const model = join(REPOSITORY, 'tiny');
  rmSync(REPOSITORY, { recursive: true, force: true });
  for (const version of ['1', '2']) {
    mkdirSync(join(model, version), { recursive: true });
    cpSync(join(MODELS, 'tiny', '1'), join(model, version), { recursive: true });
  }
  writeFileSync(join(model, 'rollout.json'), JSON.stringify({ aliases: { stable: '1', canary: '2' } }));
}

/** Changes until `isOver`, and answers how long each took. */
async function keepChanging(adminUrl, isOver) {
  const tookMs = { promote: [], rollback: [], split: [] };
  const change = async (kind, method, path, body) => {
    const startMs = performance.now();
    const response = await fetch(new URL(path, adminUrl), {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    tookMs[kind].push(performance.now() - startMs);
  };
  const arms = [
    { to: 'stable', weight: 50 },
    { to: 'canary', weight: 50 },
  ];
  while (!isOver()) {
    await change('split', 'PUT', '/models/tiny/split', { arms });
    await change('promote', 'POST', '/models/tiny/promote', {});
    await change('rollback', 'POST', '/models/tiny/rollback', {});
    await change('split', 'PUT', '/models/tiny/aliases/canary', { version: 'previous' });
  }
  return tookMs;
}

function told(name, samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1);
  return `${name}: ${sorted.length} times, ${at(0.5)} ms at the median, ${at(0.99)} ms at 99 %, ${at(1)} ms at most`;
}

buildAll();
makeRepository();
const request = prepareRequest('tinyRaw');
const serve = ['dist/cli/main.js', 'serve', REPOSITORY, '--port=0', '--admin-port=0', '--log-level=warn'];
const server = await startServer(serve);
try {
  const load = [GENERATOR, server.url, '--mode', 'closed', '--connections', values.connections];
  load.push('--duration-s', values['duration-s'], '--warmup-s', '0', '--body', request.bodyFile);
  load.push('--path', request.path);
  for (const [name, value] of Object.entries(request.headers)) load.push('--header', `${name}: ${value}`);
  let isOver = false;
  const [result, tookMs] = await Promise.all([
    capture(load)
      .then(JSON.parse)
      .finally(() => (isOver = true)),
    keepChanging(server.metricsUrl, () => isOver),
  ]);
  const good = result.byStatus['200'] ?? 0;
  const broken = Object.values(result.errors).reduce((sum, count) => sum + count, 0);
  const failed = result.replies - good + broken;
  const found = JSON.stringify({ ...result.byStatus, ...result.errors });
  console.log(`${result.replies} requests, ${failed} failed: ${found}`);
  for (const [kind, samples] of Object.entries(tookMs)) console.log(told(kind, samples));
  if (failed > 0 || good === 0) process.exitCode = 1;
} finally {
  await server.stop();
}
