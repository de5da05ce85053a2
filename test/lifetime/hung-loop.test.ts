/** A run that does not come back on the event loop: nobody can be answered, so the process must end and say why. */
import t from 'tap';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { linkedRepository, FAULTS } from '../support/running.js';
import { fp32, infer } from '../support/v2-wire.js';

const SERVER = fileURLToPath(new URL('../../bench/faulty-server.mjs', import.meta.url));
const WIDTH = 16;

/** A row of add_sub whose run takes so much longer. */
function slowRow(port: number, slowMs: number): ReturnType<typeof infer> {
  const bytes = fp32(FAULTS.slow, slowMs, ...Array.from({ length: WIDTH - 2 }, () => 0));
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'FP32', shape: [1, WIDTH], bytes }));
  return infer(port, 'add_sub', { inputs });
}

t.test('a run that keeps the loop beyond its limit ends the process with 71 and the model', async (t) => {
  const repository = linkedRepository(t, ['add_sub']);
  const settings = ['--inlineBudgetUs', '1000000', '--hungLoopExitMs', '400'];
  const child = spawn(process.execPath, [SERVER, repository, ...settings]);
  t.teardown(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const port = Number(new URL((JSON.parse(line) as { url: string }).url).port);

  const ended = once(child, 'close');
  await t.rejects(slowRow(port, 100_000), 'the client sees its connection end');
  t.equal((await ended)[0], 71);
  t.match(errors, /a run of model "add_sub" version 1 has kept the event loop/);
});
