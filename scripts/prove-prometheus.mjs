#!/usr/bin/env node
// A real Prometheus (Debian's package `prometheus`) scrapes a server under load, on the loopback and from a temporary
// folder; its answers are held to what was sent. Also `promtool check metrics`. Usage: node scripts/prove-prometheus.mjs
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../bench/servers.mjs';
import { testModels } from './setup/models.mjs';

const LOAD_MS = 8000;
const CLIENTS = 4;

if (spawnSync('prometheus', ['--version']).status !== 0) {
  console.error('prove-prometheus: no prometheus here; get it with: apt-get install -y prometheus');
  process.exit(2);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function waitFor(what, isThere, limitMs = 20_000) {
  const untilMs = Date.now() + limitMs;
  while (Date.now() < untilMs) {
    const found = await isThere().catch(() => undefined);
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what} did not come within ${limitMs} ms`);
}

async function load(url, untilMs) {
  const body = JSON.stringify({
    inputs: [
      { name: 'INPUT0', datatype: 'FP32', shape: [1, 64], data: Array.from({ length: 64 }, () => 0.5) },
    ],
  });
  let sent = 0;
  const client = async () => {
    while (Date.now() < untilMs) {
      const reply = await fetch(`${url}/v2/models/tiny/infer`, { method: 'POST', body });
      if (reply.status !== 200) throw new Error(`infer answered ${reply.status}: ${await reply.text()}`);
      await reply.arrayBuffer();
      sent += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return sent;
}

const model = join(testModels(), 'tiny');
const folder = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'));
let server;
let prometheus;
try {
  server = await startServer([
    'dist/cli/main.js',
    'serve',
    model,
    '--port=0',
    '--admin-port=0',
    '--triton-metrics',
  ]);
  const plain = await startServer(['dist/cli/main.js', 'serve', model, '--port=0', '--admin-port=0']);
  let page;
  try {
    await load(plain.url, Date.now() + 200);
    page = await (await fetch(plain.metricsUrl)).text();
  } finally {
    await plain.stop();
  }
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  console.log(`promtool check metrics: ${checked.status === 0 ? 'passes' : checked.stdout + checked.stderr}`);

  const port = await freePort();
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: sluice\n    static_configs: [{targets: ['${new URL(server.metricsUrl).host}']}]\n`,
  );
  prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const query = async (text) => {
    const reply = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`);
    const { data } = await reply.json();
    return data.result.length === 0 ? undefined : Number(data.result[0].value[1]);
  };
  await waitFor('the first scrape', async () => (await query('up')) === 1);
  const sent = await load(server.url, Date.now() + LOAD_MS);
  const ok = 'sluice_requests_total{model="tiny",outcome="ok"}';
  const seen = await waitFor('the last request', async () => ((await query(ok)) === sent ? sent : undefined));
  const p99 = await query(
    'histogram_quantile(0.99, sum by (model, le) (rate(sluice_request_seconds_bucket{outcome="ok"}[10s])))',
  );
  const run = await query(
    'rate(sluice_stage_seconds_sum{stage="run"}[10s]) / rate(sluice_stage_seconds_count{stage="run"}[10s])',
  );
  const triton = await query('nv_inference_request_success{model="tiny"}');
  const series = await query('count({job="sluice"})');
  console.log(
    `${sent} requests sent, Prometheus has ${seen}, and ${triton} under Triton's name; ${series} series`,
  );
  console.log(
    `histogram_quantile says p99 = ${(p99 * 1e6).toFixed(1)} us; mean of stage run = ${(run * 1e6).toFixed(1)} us`,
  );
  const isGood = checked.status === 0 && seen === sent && triton === sent && p99 > 0 && p99 < 1 && run > 0;
  console.log(isGood ? 'prove-prometheus: right' : 'prove-prometheus: WRONG');
  process.exitCode = isGood ? 0 : 1;
} finally {
  if (prometheus !== undefined) {
    const ended = new Promise((resolve) => prometheus.on('exit', resolve));
    prometheus.kill('SIGTERM');
    await ended;
  }
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}
