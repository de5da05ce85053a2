/**
 * The golden gate: asks a warmed-up version its golden requests and compares the answers, each request alone and all of
 * them as rows of one batch. A version that answers otherwise does not serve. Runs on the loop, the model in the engine.
 */
import { SluiceError } from '../../core/errors.js';
import type { ServePlan } from '../../core/model.js';
import type { GoldenReport } from '../../core/snapshot.js';
import type { ModelLoader } from '../ports.js';
import type { GoldenCase, GoldenSet } from './cases.js';
import { compareTensor, defaultTolerance, worse, type Difference } from './compare.js';
import { cutRows, joinRows, readTensors, writeRequest, type GoldenTensor } from './wire.js';

type Asker = Pick<ModelLoader, 'ask'>;

const NO_DIFFERENCE: Difference = { ratio: 0, text: '' };

function refuse(message: string): never {
  throw new SluiceError('MODEL_INVALID', `golden answers: ${message}`);
}

/** The outputs for `inputs`; throws where the version refuses them. */
export async function askGolden(
  asker: Asker,
  handle: number,
  inputs: readonly GoldenTensor[],
  where: string,
): Promise<GoldenTensor[]> {
  const request = writeRequest(inputs);
  const answer = await asker.ask(handle, request.headLength, request.bytes);
  if (answer.status !== 0) refuse(`${where}: ${Buffer.from(answer.bytes).toString('utf8')}`);
  const headLength = answer.headLength === 0 ? -1 : answer.headLength;
  return readTensors({ bytes: answer.bytes, headLength }, 'outputs', where);
}

function compareOutputs(
  set: GoldenSet,
  golden: readonly GoldenTensor[],
  got: readonly GoldenTensor[],
): Difference {
  return golden
    .map((output) => {
      const tolerance =
        set.tolerance.get(output.name) ?? set.tolerance.get('*') ?? defaultTolerance(output.datatype);
      const found = got.find((other) => other.name === output.name);
      return compareTensor(output, found, tolerance);
    })
    .reduce(worse, NO_DIFFERENCE);
}

function check(difference: Difference, where: string): void {
  if (difference.ratio <= 1) return;
  const far = Number.isFinite(difference.ratio)
    ? ` (${difference.ratio.toPrecision(3)} times the tolerance)`
    : '';
  refuse(`${where}: ${difference.text}${far}`);
}

function rowsOf(inputs: readonly GoldenTensor[]): number {
  return inputs[0]?.shape[0] ?? 0;
}

/** Cases that fit one batch together, as many as possible. */
function batchOf(cases: readonly GoldenCase[], plan: ServePlan): GoldenCase[] {
  const chosen: GoldenCase[] = [];
  let rows = 0;
  for (const candidate of cases) {
    const more = rowsOf(candidate.inputs);
    if (rows + more > plan.maxBatchRows) continue;
    if (joinRows([...chosen, candidate].map(({ inputs }) => inputs)) === undefined) continue;
    chosen.push(candidate);
    rows += more;
  }
  return chosen;
}

async function checkBatch(
  asker: Asker,
  handle: number,
  plan: ServePlan,
  set: GoldenSet,
): Promise<Difference> {
  const cases = batchOf(set.cases, plan);
  // One case of one row is repeated: a batch needs neighbours.
  const parts =
    cases.length === 1 && plan.maxBatchRows >= 2 * rowsOf(cases[0]?.inputs ?? [])
      ? [...cases, ...cases]
      : cases;
  const inputs = joinRows(parts.map((part) => part.inputs));
  if (parts.length < 2 || inputs === undefined) return NO_DIFFERENCE;
  const outputs = await askGolden(asker, handle, inputs, 'all cases as one batch');
  let worst = NO_DIFFERENCE;
  let start = 0;
  for (const { name, inputs: own, outputs: golden } of parts) {
    const count = rowsOf(own);
    const rows = outputs.map((output) => cutRows(output, start, count));
    const difference = compareOutputs(set, golden, rows);
    check(difference, `case "${name}" in a batch`);
    worst = worse(worst, difference);
    start += count;
  }
  return worst;
}

/** Throws with the worst difference where the version does not answer as it should. */
export async function checkGolden(
  asker: Asker,
  handle: number,
  plan: ServePlan,
  set: GoldenSet,
  nowMs: () => number = () => performance.now(),
): Promise<GoldenReport> {
  let worst = NO_DIFFERENCE;
  let slowestMs = 0;
  let failed: { readonly difference: Difference; readonly where: string } | undefined;
  for (const { name, inputs, outputs } of set.cases) {
    const where = `case "${name}"`;
    if (outputs.length === 0) refuse(`${where} has no answer: record it with sluice golden record`);
    const beginMs = nowMs();
    const got = await askGolden(asker, handle, inputs, where);
    const tookMs = nowMs() - beginMs;
    slowestMs = Math.max(slowestMs, tookMs);
    const difference = compareOutputs(set, outputs, got);
    if (failed === undefined || difference.ratio > failed.difference.ratio) failed = { difference, where };
    worst = worse(worst, difference);
    if (set.latencyMs !== undefined && tookMs > set.latencyMs)
      refuse(`${where}: expected an answer within ${set.latencyMs} ms, it took ${tookMs.toFixed(1)} ms`);
  }
  if (failed !== undefined) check(failed.difference, failed.where);
  if (plan.maxBatchRows > 1) worst = worse(worst, await checkBatch(asker, handle, plan, set));
  return { cases: set.cases.length, worstRatio: worst.ratio, slowestMs };
}
