/**
 * The bare ONNX Runtime loop (baselines/ort-loop.cc) as a side of a scenario. Where a generator would poll beside a server, one polls
 * beside the loop, too, with next to nothing to do: two cores of a virtual machine may be threads of one, and the one then
 * has less of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { capture, coresOf, pollWords } from './block.mjs';
import { BARE_LOOP, GENERATOR, MODELS } from './paths.mjs';
import { pinned } from './servers.mjs';

const LIBRARY = join(
  'node_modules/onnxruntime-node/bin/napi-v6/linux',
  process.arch === 'arm64' ? 'arm64' : 'x64',
  'libonnxruntime.so.1',
);

/** `work` beside a generator that polls and asks ten times a second. */
async function besidePolling(layout, work) {
  if (pollWords(layout).length === 0) return work();
  const asked = createServer((_request, reply) => reply.end()).listen(0, '127.0.0.1');
  await once(asked, 'listening');
  const url = `http://127.0.0.1:${asked.address().port}`;
  const load = ['--mode', 'constant', '--rate', '10', '--connections', '1', '--duration-s', '3600'];
  const command = [GENERATOR, url, '--body', '/dev/null', ...load, ...pollWords(layout)];
  const [file, ...words] = pinned(coresOf(layout).generator, command);
  const generator = spawn(file, words, { stdio: 'ignore' });
  const ended = once(generator, 'exit');
  try {
    await Promise.race([
      once(asked, 'request'),
      ended.then(([code]) =>
        Promise.reject(new Error(`the generator beside the bare loop ended with ${code}`)),
      ),
    ]);
    return await work();
  } finally {
    generator.kill('SIGKILL');
    await ended;
    asked.closeAllConnections();
    asked.close();
  }
}

async function runLoop(side, { layout }, durationS, batches) {
  const args = [LIBRARY, join(MODELS, side.model, '1', 'model.onnx'), '--duration-s', String(durationS)];
  if (batches !== undefined) args.push('--batches', batches);
  const text = await besidePolling(layout, () =>
    capture(pinned(coresOf(layout).server, [BARE_LOOP, ...args])),
  );
  return JSON.parse(text).best;
}

const bestBatches = new Map();

/** The batch size at which the bare loop is fastest: it has that one in every block of a scenario. */
export async function findBestBatch(side, scenario) {
  const known = bestBatches.get(scenario.name) ?? String((await runLoop(side, scenario, 0.5)).rows);
  bestBatches.set(scenario.name, known);
  return known;
}

export async function runBareLoop(side, scenario, durationS) {
  const best = await runLoop(side, scenario, durationS, side.batches);
  return { rate: best.rowsPerS, serverCpuUs: best.cpuUsPerRow, reasons: [] };
}
