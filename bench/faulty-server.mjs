#!/usr/bin/env node
// A server over the addon whose runs fail on request, for the scripts and tests that need one. Prints its address when it is ready.
// Usage: node bench/faulty-server.mjs repository [--name value ...]     settings as flags of `sluice serve`, in their file names
import { join } from 'node:path';
import { readSettings } from '../dist/config.js';
import { createEngine } from '../dist/engine/addon-engine.js';
import { startServer } from '../dist/server.js';
import { ROOT } from './paths.mjs';

const [repository, ...words] = process.argv.slice(2);
const flags = {};
for (let i = 0; i + 1 < words.length; i += 2) flags[words[i].replace(/^--/, '')] = words[i + 1];
const line = (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const log = { info: () => undefined, warn: line, error: line };
const settings = readSettings({ repository, port: 0, adminPort: 0, ...flags }, {});
const server = await startServer(settings, log, {
  createEngine: ({ workers, inlineBudgetUs, defaultDeadlineMs, hungLoopExitMs }) =>
    createEngine({
      addonPath: join(process.env.SLUICE_TEST_PACKAGE ?? ROOT, 'build/Release/sluice_faulty.node'),
      workers: workers === 0 ? undefined : workers,
      inlineBudgetUs,
      defaultDeadlineMs,
      hungLoopExitMs,
    }),
});
process.stdout.write(
  `${JSON.stringify({ url: `http://127.0.0.1:${server.port}`, admin: `http://127.0.0.1:${server.adminPort}` })}\n`,
);
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
