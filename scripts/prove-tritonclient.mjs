#!/usr/bin/env node
// Triton's own Python client against a server with the test models: metadata, all data types in both forms, many requests at
// once, errors, the repository calls. The client comes into a temporary virtual environment. Usage: node scripts/prove-tritonclient.mjs
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../bench/servers.mjs';
import { testModels } from './setup/models.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sluice-tritonclient-'));

function must(file, args) {
  const { status, error } = spawnSync(file, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${error?.message ?? status}`);
}

let server;
try {
  must('python3', ['-m', 'venv', folder]);
  const python = join(folder, 'bin', 'python');
  must(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'tritonclient[http]']);
  server = await startServer([
    'dist/cli/main.js',
    'serve',
    testModels(),
    '--port=0',
    '--admin-port=0',
    '--model-control=explicit',
    '--load-model=*',
    '--log-level=error',
  ]);
  const hosts = [server.url, server.metricsUrl].map((url) => new URL(url).host);
  must(python, ['scripts/prove-tritonclient.py', ...hosts]);
} catch (error) {
  console.error(`prove-tritonclient: ${error.message}`);
  process.exitCode = 1;
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}
