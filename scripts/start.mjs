#!/usr/bin/env node
// `npm start`: sets up, then serves the example models. Arguments after `--` go to `sluice serve`.
// Signals are passed on to the server, and its exit code is passed back.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { runMain, setUp } from './setup/all.mjs';
import { ROOT } from './setup/stamp.mjs';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const ECHO_MS = 300;
const PARENT_POLL_MS = 500;

await runMain(() => setUp());

const given = process.argv.slice(2);
const repository = given.length > 0 && !given[0].startsWith('-') ? given.shift() : 'examples/models';
const command = ['dist/cli/main.js', 'serve', repository, ...given];

// In a group of its own, the server gets only what is passed on: from a terminal, one Ctrl-C reaches this process both
// directly and through npm, and to the server a second signal means "stop at once".
const server = spawn(process.execPath, command, { cwd: ROOT, stdio: 'inherit', detached: true });
let lastMs = -Infinity;
for (const signal of PASSED_ON) {
  process.on(signal, () => {
    const nowMs = performance.now();
    if (nowMs - lastMs > ECHO_MS) server.kill(signal);
    lastMs = nowMs;
  });
}

// The shell between npm and this process dies of a SIGTERM without passing it on; then the server is told instead.
const parentPid = process.ppid;
setInterval(() => {
  if (process.ppid === parentPid || lastMs !== -Infinity) return;
  lastMs = performance.now();
  server.kill('SIGTERM');
}, PARENT_POLL_MS).unref();

server.on('error', (error) => {
  process.stderr.write(`start: cannot run Node: ${error.message}\n`);
  process.exit(1);
});
server.on('exit', (exitCode, signal) => process.exit(exitCode ?? 128 + (constants.signals[signal] ?? 0)));
