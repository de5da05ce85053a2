/**
 * A version is loaded, asked once and unloaded, again and again: what memory, threads and files of the process do.
 * Usage: node test/stress/load-unload.mjs [--short]        500 times, about 2 minutes; short: 40 times, about 10 s
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersRight, publishLookup } from './lookup-model.mjs';
import { admin, isShort, processFacts, publish, report, startServer } from './rig.mjs';

const TIMES = isShort ? 40 : 500;
const WARM = Math.floor(TIMES / 5);
const MODEL_MIB = 6.4 / 1.048576;
const repository = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
publishLookup(repository, 'lookup', 1, { rows: 200_000 });
publish(repository, 'other', 1);
const server = await startServer(repository, [
  '--model-control',
  'explicit',
  '--load-model',
  'other',
  '--log-level',
  'error',
]);
const samples = [];
const problems = [];
for (let time = 0; time < TIMES; time += 1) {
  const load = await admin(server, 'POST', '/v2/repository/models/lookup/load');
  if (load.status !== 200) problems.push(JSON.stringify(load));
  if (!(await answersRight(server, 'lookup', 1)).isRight) problems.push(`time ${time}: a wrong answer`);
  await admin(server, 'POST', '/v2/repository/models/lookup/unload');
  for (let state = ''; state !== 'UNAVAILABLE';) {
    const rows = (await admin(server, 'POST', '/v2/repository/index')).body;
    state = rows.find((row) => row.name === 'lookup').state;
  }
  samples.push(processFacts(server.pid));
}
await server.stop();
rmSync(repository, { recursive: true });
const warm = samples.slice(WARM);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const middle = mean(warm.map((_, i) => i));
const level = mean(warm.map((sample) => sample.residentMiB));
const slope =
  warm.reduce((sum, sample, i) => sum + (i - middle) * (sample.residentMiB - level), 0) /
  warm.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
const [first, last] = [warm[0], warm.at(-1)];
report(
  `${TIMES} loads and unloads of a model of ${MODEL_MIB.toFixed(1)} MiB, the first ${WARM} as warm-up`,
  [
    ['memory, first / last', `${first.residentMiB.toFixed(1)} / ${last.residentMiB.toFixed(1)} MiB`],
    ['slope', `${(slope * 1024).toFixed(2)} KiB for each load`],
    ['threads, files, first / last', `${first.threads}, ${first.files} / ${last.threads}, ${last.files}`],
    ['first problems', JSON.stringify(problems.slice(0, 3))],
  ],
  [
    ['every load answered right', problems.length === 0],
    ['memory does not grow by a model in 100 loads', slope * 100 < MODEL_MIB],
    ['threads and files do not grow', last.threads <= first.threads && last.files <= first.files],
  ],
);
