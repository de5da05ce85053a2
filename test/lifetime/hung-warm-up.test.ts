/** A version whose first run does not end: its load does, and so does the process that has it. */
import t from 'tap';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { slow } from '../../scripts/models/troublesome.mjs';
import { MAIN } from '../support/package.js';

/** Years. */
const ENDLESS_STEPS = 1e12;

t.test('a first run that hangs refuses its version, and lets the process end', async (t) => {
  const root = t.testdir({});
  mkdirSync(join(root, 'endless', '1'), { recursive: true });
  writeFileSync(join(root, 'endless', '1', 'model.onnx'), slow(ENDLESS_STEPS));
  const ports = ['--port', '0', '--admin-port', '0', '--no-strict-readiness'];
  const times = ['--verify-timeout-ms', '200', '--drain-ms', '50', '--hard-stop-ms', '100'];
  const child = spawn(process.execPath, [MAIN, 'serve', root, ...ports, ...times]);
  t.teardown(() => child.kill('SIGKILL'));
  child.stdout.resume();
  let isTold = false;
  for await (const line of createInterface({ input: child.stderr })) {
    isTold = line.includes('warm-up took more than the 200 ms of all first runs');
    if (isTold) break;
  }
  child.stderr.resume();
  t.ok(isTold, 'the reason is told');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await ended, [1, null], 'the hard stop ends it, and nothing crashes on the way');
});
