/** A server whose runs misbehave on request, over the generated models, and single rows for its add_sub: the answer is known. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { testModels } from '../scripts/setup/models.mjs';
import { ROOT } from './paths.mjs';

const WIDTH = 16;
const SLOW_MARK = -1004;

/** Everything runs in workers. Resolves to its process, its address and that of its admin listener. */
export async function startFaultyServer() {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'bench/faulty-server.mjs'), testModels(), '--inlineBudgetUs', '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit').then(([exitCode]) => {
    throw new Error(`the faulty server ended with ${exitCode} before it told its address`);
  });
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  const { url, admin } = JSON.parse(line);
  return { child, url: new URL(url), admin };
}

/** One row; `slowMs` makes its run that much longer. */
export function addSubRow({ seed = 0, slowMs = 0, deadlineMs } = {}) {
  const a = Float32Array.from({ length: WIDTH }, (_, i) => seed + i);
  if (slowMs > 0) a.set([SLOW_MARK, slowMs]);
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({
    ...{ name, shape: [1, WIDTH], datatype: 'FP32' },
    parameters: { binary_data_size: 4 * WIDTH },
  }));
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const body = Buffer.concat([json, Buffer.from(a.buffer), Buffer.from(a.buffer)]);
  const head = [
    'POST /v2/models/add_sub/infer HTTP/1.1',
    'Host: faulty',
    ...(deadlineMs === undefined ? [] : [`Sluice-Deadline-Ms: ${deadlineMs}`]),
    `Inference-Header-Content-Length: ${json.length}`,
    `Content-Length: ${body.length}`,
    '\r\n',
  ].join('\r\n');
  return { a, head: Buffer.from(head), body };
}

/** Whether the reply to an `addSubRow` has its sum. */
export function isRightSum({ a }, reply) {
  if (reply?.status !== 200) return false;
  const sums = reply.body.subarray(reply.headLength, reply.headLength + 4 * WIDTH);
  return sums.equals(Buffer.from(a.map((x) => x + x).buffer));
}
