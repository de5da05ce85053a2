/**
 * Every truncation and very many mutants of valid frames, over real sockets: what the server answers is held against what the
 * C++ decoder says to the same bytes in this process. Another socket asks known answers throughout, with a canary in them
 * that must not come back in any other answer.
 * Usage: node test/stress/frame-mutants.mjs [--mutants 1000000] [--transport uws|node] [--seed 1] [--short]
 * A million takes some minutes; short: 20,000, about 15 s.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FrameWriter } from '../../dist/client/frame-writer.js';
import { pause } from '../../bench/row-connection.mjs';
import { MutantLane, readHello, readOutput } from './mutant-lane.mjs';
import { MutantOracle } from './mutant-oracle.mjs';
import { mutantsOf, renumber, validFrames } from './mutants.mjs';
import { testModels } from '../../scripts/setup/models.mjs';
import { processFacts, report, startServer } from './rig.mjs';

const { values } = parseArgs({
  options: {
    mutants: { type: 'string' },
    transport: { type: 'string', default: 'uws' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
  },
});
const COUNT = Number(values.mutants ?? (values.short ? 20_000 : 1_000_000));
if (!Number.isInteger(COUNT) || COUNT < 1)
  throw new Error(`expected a whole number from 1 for --mutants, got ${values.mutants}`);
const MODELS = ['identity_fp32', 'add_sub', 'identity_bytes', 'identity_uint8'];
const LANES = 24;
/** Below the credit of a socket. */
const MOST_AT_ONCE = 32;
const CHUNK = 4000;
const CANARY = Buffer.from('c4n4ry-c4n4ry-c4n4ry-c4n4ry-c4n4');
const WITNESS_PAUSE_MS = 5;
const MOST_GROWTH_MIB = 48;

const folder = mkdtempSync(join(tmpdir(), 'sluice-mutants-'));
const repository = join(folder, 'models');
mkdirSync(repository);
const made = testModels();
for (const name of MODELS) symlinkSync(join(made, name), join(repository, name));
const server = await startServer(repository, ['--transport', values.transport, '--log-level', 'error']);
const numbers = await readHello(server.port);
const oracle = await MutantOracle.open(repository, numbers);

/** Rows of the table: what the decoder says and what came, with how often. */
const table = new Map();
const wrong = [];
let foreign = 0;
let done = 0;
const judge = {
  note(verdict, answer, isRight, bytes) {
    done += 1;
    const key = `${verdict.says}\t${answer}\t${isRight ? '' : 'WRONG'}`;
    table.set(key, (table.get(key) ?? 0) + 1);
    if (!isRight && wrong.length < 10)
      wrong.push({ verdict, answer, bytes: Buffer.from(bytes).toString('hex') });
  },
  look(bytes) {
    if (bytes.includes(CANARY.subarray(0, 6))) foreign += 1;
  },
};

/** A socket of its own that asks what it knows the answer to. */
const witness = { right: 0, wrong: 0, isOver: false };
async function watch() {
  const data = Buffer.concat([CANARY, CANARY, CANARY, CANARY]);
  const input = { name: 'INPUT0', datatype: 'UINT8', shape: [1, data.length], bytes: data };
  const frame = new FrameWriter().writeRequest(
    { id: 1, model: 'identity_uint8', modelNumber: 0, deadlineMs: 0, options: {} },
    [input],
  );
  const lane = new MutantLane(server.port, { note() {}, look() {} });
  while (!witness.isOver) {
    const output = readOutput(await lane.ask(frame));
    witness[output !== undefined && data.equals(output) ? 'right' : 'wrong'] += 1;
    await pause(WITNESS_PAUSE_MS);
  }
  lane.close();
}

/**
 * The mutants in the order in which they may share a socket: those with an answer together, as long as their ids differ; then
 * cancels, which must find nothing in flight; then one that ends the socket.
 */
function plan(mutants) {
  const answered = [[]];
  const cancels = [];
  const closing = [];
  // Of those that share a step: ids, and ids that a bundle cancels.
  const taken = new Set();
  const cancelled = new Set();
  const isApart = ({ id, cancels = [] }) =>
    !taken.has(id) && !cancelled.has(id) && !cancels.some((other) => taken.has(other));
  for (const mutant of mutants) {
    const { verdict } = mutant;
    if (verdict.says.endsWith('cancel')) cancels.push(mutant);
    else if (verdict.code !== undefined) closing.push(mutant);
    else {
      if (answered.at(-1).length >= MOST_AT_ONCE || !isApart(verdict)) {
        answered.push([]);
        taken.clear();
        cancelled.clear();
      }
      taken.add(verdict.id);
      for (const id of verdict.cancels ?? []) cancelled.add(id);
      answered.at(-1).push(mutant);
    }
  }
  const works = [];
  while (answered.length + cancels.length + closing.length > 0)
    works.push([answered.pop() ?? [], cancels.splice(0, MOST_AT_ONCE), closing.splice(0, 1)]);
  return works;
}

const watching = watch();
const lanes = Array.from({ length: LANES }, () => new MutantLane(server.port, judge));
const all = mutantsOf(validFrames(numbers), COUNT, Number(values.seed));
const beganMs = performance.now();
/** After each tenth. */
const residentMiB = [];
let sent = 0;
for (let isLast = false; !isLast;) {
  const mutants = [];
  while (mutants.length < CHUNK) {
    const { value: bytes, done: isDone } = all.next();
    if ((isLast = isDone)) break;
    renumber(bytes, 1 + (sent % 1_000_000));
    const verdict = oracle.verdict(bytes);
    if (verdict === undefined) continue;
    mutants.push({ bytes, verdict });
    sent += 1;
  }
  await oracle.settled();
  const works = plan(mutants);
  await Promise.all(
    lanes.map(async (lane) => {
      for (let work = works.pop(); work !== undefined; work = works.pop()) {
        for (const step of work) if (step.length > 0) await lane.send(step);
      }
    }),
  );
  if (sent >= (COUNT * (residentMiB.length + 1)) / 10) {
    residentMiB.push(processFacts(server.pid).residentMiB);
    process.stderr.write(`${done} of about ${COUNT}, ${wrong.length} wrong\n`);
  }
}
const seconds = (performance.now() - beganMs) / 1000;
const rightDuring = witness.right;
while (witness.right === rightDuring && witness.wrong === 0) await pause(WITNESS_PAUSE_MS);
witness.isOver = true;
await watching;
for (const lane of lanes) lane.close();
const growthMiB = processFacts(server.pid).residentMiB - residentMiB[0];
await oracle.close();
const { code } = await server.stop();
rmSync(folder, { recursive: true, force: true });

const rows = [...table].sort((a, b) => b[1] - a[1]);
process.stdout.write(`\n${'the decoder says'.padEnd(20)}  ${'the server answers'.padEnd(24)}     count\n`);
for (const [key, count] of rows) {
  const [says, answer, mark] = key.split('\t');
  process.stdout.write(`${says.padEnd(20)}  ${answer.padEnd(24)}  ${String(count).padStart(8)}  ${mark}\n`);
}
for (const one of wrong) process.stdout.write(`${JSON.stringify(one)}\n`);
report(
  `${done} frames over ${values.transport}, seed ${values.seed}, ${seconds.toFixed(0)} s (${(done / seconds).toFixed(0)}/s)`,
  [
    ['known answers meanwhile', `${witness.right} right, ${witness.wrong} wrong`],
    ['RSS of the server', `${residentMiB.map((mib) => mib.toFixed(0)).join(', ')} MiB after each tenth`],
  ],
  [
    ['the server answered what the decoder said', wrong.length === 0 && done === sent],
    ['no answer held bytes of another message', foreign === 0],
    ['known answers were right, the last one after all', witness.wrong === 0],
    [`RSS grew by less than ${MOST_GROWTH_MIB} MiB after the first`, growthMiB < MOST_GROWTH_MIB],
    ['the server ended with 0', code === 0],
  ],
);
