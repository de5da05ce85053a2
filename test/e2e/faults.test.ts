/**
 * Runs that misbehave: what one row of a batch does to its run must not reach its neighbours. Every round sends good and
 * bad requests together, so that they share runs, and checks each answer against its own truth.
 */
import t, { type Test } from 'tap';
import { linkedRepository, FAULTS, FAULTY_PARTS, startTestServer } from '../support/running.js';
import { fp32, infer, type WireAnswer } from '../support/v2-wire.js';

const WIDTH = 16;
const ROUNDS = 5;
const REQUESTS = 40;

interface Sent {
  readonly isBad: boolean;
  readonly a: Float32Array;
  readonly answer: WireAnswer;
}

/** One request to add_sub; `mark` stands in its first element. */
async function send(port: number, seed: number, mark: number, argument = 0): Promise<Sent> {
  const a = Float32Array.from({ length: WIDTH }, (_, i) => seed * WIDTH + i);
  const isBad = mark !== 0;
  if (isBad) a.set([mark, argument]);
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({
    name,
    datatype: 'FP32',
    shape: [1, WIDTH],
    bytes: fp32(...a),
  }));
  const answer = await infer(port, 'add_sub', { inputs, more: '"parameters":{"binary_data_output":true}' });
  return { isBad, a, answer };
}

function isRight({ a, answer }: Sent): boolean {
  const [sum, difference] = answer.outputs;
  return (
    answer.status === 200 &&
    sum?.bytes?.equals(fp32(...a.map((x) => x + x))) === true &&
    difference?.bytes?.equals(fp32(...a.map(() => 0))) === true
  );
}

async function mixedRound(port: number, mark: number, round: number): Promise<Sent[]> {
  return Promise.all(
    Array.from({ length: REQUESTS }, (_, i) => send(port, round * REQUESTS + i, i % 5 === 2 ? mark : 0)),
  );
}

async function checkIsolation(t: Test, port: number, mark: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const sent = await mixedRound(port, mark, round);
    const good = sent.filter(({ isBad }) => !isBad);
    const bad = sent.filter(({ isBad }) => isBad);
    t.equal(good.filter(isRight).length, good.length, 'every innocent request is right');
    t.same([...new Set(bad.map(({ answer }) => answer.status))], [500], 'every culprit gets a 500');
    t.ok(
      bad.every(({ answer }) => /^the run of model "add_sub" version 1 failed/.test(answer.error)),
      'in words that do not tell what went on inside',
    );
  }
}

for (const execution of ['inline', 'worker'] as const) {
  void t.test(`${execution} runs`, async (t) => {
    const flags = execution === 'worker' ? { inlineBudgetUs: 0 } : { inlineBudgetUs: 1_000_000 };
    const repository = linkedRepository(t, ['add_sub']);
    const { server } = await startTestServer(t, repository, flags, FAULTY_PARTS);
    t.equal(server.models().models.get('add_sub')?.defaultVersion?.report?.execution, execution);

    for (const name of ['throw', 'fail', 'outOfMemory', 'wrongRows', 'garbledRank'] as const) {
      await t.test(`a row that makes its run ${name} fails alone`, async (t) => {
        await checkIsolation(t, server.port, FAULTS[name]);
      });
    }

    await t.test('NaN in one row stays in that row', async (t) => {
      const sent = await mixedRound(server.port, FAULTS.nan, 0);
      const good = sent.filter(({ isBad }) => !isBad);
      t.equal(good.filter(isRight).length, good.length, 'every innocent request is right');
      for (const { answer } of sent.filter(({ isBad }) => isBad)) {
        const sum = answer.outputs[0]?.bytes ?? Buffer.alloc(0);
        t.ok(
          Array.from({ length: WIDTH }, (_, i) => sum.readFloatLE(4 * i)).every((x) => Number.isNaN(x)),
          'the row that asked for it has NaN',
        );
      }
    });

    await t.test('a slow run is waited for, and what comes with it is right', async (t) => {
      const slow = send(server.port, 1, FAULTS.slow, 50);
      const others = await Promise.all(Array.from({ length: 8 }, (_, i) => send(server.port, 2 + i, 0)));
      t.ok(others.every(isRight));
      t.ok(isRight(await slow), 'the slow one too');
    });
  });
}
