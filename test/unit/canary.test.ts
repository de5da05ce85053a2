/**
 * Plans: what is decided from given numbers, how often a sound candidate is rolled back (by seeded simulation), and that a
 * human is obeyed. The clock is given.
 */
import t from 'tap';
import { Canary, type CanaryLogLine } from '../../src/canary/canary.js';
import { boundOfQuantile, decide, type CanaryFacts, type StepState } from '../../src/canary/decide.js';
import { canaryPlan, type CanaryPlan } from '../../src/canary/plan.js';
import { problemText } from '../../src/core/problem.js';
import { seededRandom } from '../../scripts/models/random.mjs';
import { chanceText, shareEvidence, shareVerdict } from '../../src/core/sequential.js';

/** How many of `runs` watchers, each looking every `every` trials, ever see `verdict`. */
function everSeen(verdict: string, share: number, limit: number, alarm: number, runs: number): number {
  const random = seededRandom(42);
  let seen = 0;
  for (let run = 0; run < runs; run += 1) {
    let hits = 0;
    for (let trials = 1; trials <= 2000; trials += 1) {
      if (random() < share) hits += 1;
      if (trials % 25 !== 0 || shareVerdict(shareEvidence(hits, trials, limit), alarm) !== verdict) continue;
      seen += 1;
      break;
    }
  }
  return seen;
}

t.test('a share exactly at its limit is called beyond it no more often than was stated', (t) => {
  const runs = 200;
  for (const alarm of [0.1, 0.02]) {
    const most = runs * alarm + 3 * Math.sqrt(runs * alarm * (1 - alarm));
    const above = everSeen('above', 0.05, 0.05, alarm, runs);
    const below = everSeen('below', 0.05, 0.05, alarm, runs);
    t.comment(`alarm ${alarm}: ${above} called above, ${below} below, of ${runs}`);
    t.ok(above <= most, `${above} of ${runs} above`);
    t.ok(below <= most, `${below} of ${runs} below`);
  }
  t.ok(everSeen('above', 0.15, 0.05, 0.01, 100) >= 99, 'three times the limit is found');
  t.ok(everSeen('below', 0.01, 0.05, 0.01, 100) >= 99, 'a fifth of the limit is found');
  t.end();
});

t.test('evidence has the value that its definition gives', (t) => {
  // One hit in one trial: each bet q has won q / p0, so the mean of the bets over the limit.
  const { chanceIfWithin, chanceIfBeyond } = shareEvidence(1, 1, 0.5);
  t.ok(chanceIfWithin < 1 && chanceIfWithin > 0.5);
  t.equal(chanceIfBeyond, 1, 'a hit says nothing for a small share');
  t.equal(shareEvidence(0, 0, 0.1).chanceIfWithin, 1);
  t.equal(shareVerdict(shareEvidence(0, 1_000_000, 0.01), 1e-9), 'below');
  t.ok(Number.isFinite(shareEvidence(500_000, 1_000_000, 0.01).chanceIfWithin));
  t.throws(() => shareEvidence(3, 2, 0.1));
  t.throws(() => shareEvidence(0, 2, 1));
  t.end();
});

const PLAN: CanaryPlan = canaryPlan.parse({
  candidate: '2',
  baseline: '1',
  steps: [{ shadowPercent: 100, minSamples: 500 }, { weight: 10 }, { weight: 50, minSeconds: 60 }],
  limits: { errorRate: 0.02, p99Ratio: 1.5, disagreement: 0.02 },
});

const IDLE = { requests: 0, errors: 0, latencyUs: [] };
const NOTHING: CanaryFacts = {
  ...{ candidateReady: true, baselineReady: true, candidate: IDLE, baseline: IDLE },
  ...{ compared: 0, apart: 0, shadowFailed: 0 },
};

function at(step: number, more: Partial<StepState> = {}): StepState {
  return { plan: PLAN, step, beganMs: 0, latencyLimitUs: undefined, ...more };
}

function quick(requests: number, errors = 0, slow = 0): CanaryFacts['candidate'] {
  return {
    requests,
    errors,
    latencyUs: [
      [1000, requests - errors - slow],
      [9000, slow],
    ],
  };
}

t.test('a chance too small for a number is still told as a bound', (t) => {
  const { chanceIfWithin } = shareEvidence(100_000, 100_000, 0.01);
  t.equal(chanceIfWithin, 0, 'below what a number of 64 bits can hold');
  t.equal(chanceText(chanceIfWithin), '1.0e-300');
  t.equal(chanceText(0.00123), '0.0012');
  t.end();
});

t.test('one decision and one sentence with the numbers', (t) => {
  const step = (facts: Partial<CanaryFacts>) => decide(at(0), { ...NOTHING, ...facts }, 1000);
  t.same(step({}), {
    action: 'hold',
    reason:
      'step 1 of 3 (shadow 100 %): disagreement none seen yet, limit 2 %; waiting: 0 of 500 samples, disagreement is not decided.',
  });
  t.equal(step({ compared: 400 }).action, 'hold', 'too few, though all agree');
  const good = step({ compared: 1000, apart: 1 });
  t.equal(good.action, 'advance');
  t.match(
    good.reason,
    /^step 1 of 3 \(shadow 100 %\): disagreement 1 of 1000 \(0\.1 %\), limit 2 %; a version/,
  );
  const bad = step({ compared: 12, apart: 9 });
  t.equal(bad.action, 'rollback');
  t.match(bad.reason, /disagreement 9 of 12 \(75 %\), limit 2 %/);
  t.equal(step({ compared: 2, shadowFailed: 10 }).action, 'rollback', 'a failed shadow differs');
  t.equal(step({ compared: 1000, candidateReady: false }).action, 'rollback');
  t.equal(step({ compared: 1000, baselineReady: false }).action, 'hold');
  t.end();
});

t.test('a weight step looks at errors and at the time, and at how long it lasts', (t) => {
  const baseline = quick(2000);
  const limited = at(2, { latencyLimitUs: 1500 });
  const step = (candidate: CanaryFacts['candidate'], nowMs = 61_000) =>
    decide(limited, { ...NOTHING, baseline, candidate }, nowMs);
  t.equal(step(quick(3000)).action, 'promote');
  t.equal(step(quick(3000), 59_000).action, 'hold', 'too early');
  t.match(step(quick(3000), 59_000).reason, /59 of 60 s/);
  t.equal(step(quick(300, 40)).action, 'rollback');
  const slow = step(quick(1000, 0, 80));
  t.equal(slow.action, 'rollback');
  t.match(slow.reason, /slower than 1\.50 ms 80 of 1000 \(8 %\), limit 1 %/);
  t.equal(decide(at(2), { ...NOTHING, baseline, candidate: quick(3000) }, 61_000).action, 'hold');
  t.equal(
    boundOfQuantile(
      [
        [1, 99],
        [2, 1],
      ],
      0.99,
    ),
    1,
  );
  t.equal(
    boundOfQuantile(
      [
        [1, 98],
        [2, 2],
      ],
      0.99,
    ),
    2,
  );
  t.end();
});

t.test('a plan with a mistake is refused with its place', (t) => {
  const refusal = (change: object) => {
    const given = {
      candidate: '2',
      baseline: '1',
      steps: [{ weight: 5 }],
      limits: { errorRate: 0.1 },
      ...change,
    };
    const result = canaryPlan.safeParse(given);
    return result.success ? '' : problemText(result.error.issues, given, 'plan');
  };
  t.equal(refusal({}), '');
  t.match(refusal({ limits: {} }), /limits.*at least one of errorRate, p99Ratio and disagreement/);
  t.match(refusal({ limits: { p99: 2 } }), /limits/);
  t.match(
    refusal({ steps: [{ weight: 5, shadowPercent: 5 }] }),
    /steps\[0\].*either shadowPercent or weight/,
  );
  t.match(refusal({ steps: [{ shadowPercent: 5 }] }), /steps\[0\].*limits\.disagreement/);
  t.match(refusal({ steps: [{ weight: 101 }] }), /steps\[0\]\.weight/);
  t.match(refusal({ steps: [] }), /steps/);
  t.match(refusal({ candidate: '1' }), /candidate.*another version/);
  t.match(refusal({ limits: { errorRate: 0 } }), /limits\.errorRate/);
  t.end();
});

async function rig(plan = PLAN) {
  const moves: string[] = [];
  const lines: CanaryLogLine[] = [];
  const world = { nowMs: 0, facts: NOTHING, fails: false };
  const move = (told: string): Promise<void> => {
    if (world.fails) return Promise.reject(new Error('the file cannot be written'));
    moves.push(told);
    return Promise.resolve();
  };
  const canary = new Canary({
    plan,
    control: {
      share: (_plan, shadow, weight) => move(`shadow ${shadow} weight ${weight}`),
      promote: (_plan, by) => move(`promote by ${by}`),
      rollBack: (_plan, by) => move(`rollback by ${by}`),
    },
    facts: () => world.facts,
    nowMs: () => world.nowMs,
    log: (line) => lines.push(line),
  });
  await canary.start();
  return { canary, moves, lines, world };
}

t.test('a plan goes through its steps to the end, each counted from its own beginning', async (t) => {
  const { canary, moves, lines, world } = await rig();
  t.same(moves.splice(0), ['shadow 100 weight 0']);
  world.facts = { ...NOTHING, compared: 1000, baseline: quick(1000) };
  await canary.tick();
  t.same(moves.splice(0), ['shadow 0 weight 10']);
  await canary.tick();
  t.same(moves, [], 'what the first step counted is not counted again');
  world.facts = { ...world.facts, baseline: quick(3000), candidate: quick(3000) };
  await canary.tick();
  t.same(moves.splice(0), ['shadow 0 weight 50']);
  world.nowMs = 61_000;
  world.facts = { ...world.facts, baseline: quick(5000), candidate: quick(6000) };
  await canary.tick();
  t.same(moves.splice(0), ['promote by plan']);
  t.equal(canary.state, 'PROMOTED');
  t.same(
    lines.map(({ action }) => action),
    ['start', 'advance', 'advance', 'promote'],
  );
  await canary.tick();
  t.same(moves, []);
});

t.test(
  'the bound of latency is taken before the candidate has traffic, and stays for the whole plan',
  async (t) => {
    const steps = [{ weight: 10 }, { weight: 50 }];
    const plan = canaryPlan.parse({ candidate: '2', baseline: '1', steps, limits: { p99Ratio: 1.5 } });
    const { canary, moves, world } = await rig(plan);
    t.same(moves.splice(0), ['shadow 0 weight 0'], 'what an earlier split gave the candidate is taken away');
    world.facts = { ...NOTHING, baseline: quick(499) };
    await canary.tick();
    t.same(moves, []);
    t.match(canary.status(), { state: 'RUNNING', reason: /^step 1 of 2 .*waiting for the p99 .*499 of 500/ });
    world.facts = { ...NOTHING, baseline: quick(500) };
    await canary.tick();
    t.same(moves.splice(0), ['shadow 0 weight 10']);
    world.facts = { ...NOTHING, baseline: quick(2000), candidate: quick(1500) };
    await canary.tick();
    t.same(moves.splice(0), ['shadow 0 weight 50']);
    // The candidate takes the cores of both: within 1.5 times of a baseline that is as slow by now.
    world.facts = { ...NOTHING, baseline: quick(4000, 0, 1500), candidate: quick(3500, 0, 1500) };
    await canary.tick();
    t.same(moves.splice(0), ['rollback by plan']);
    t.match(canary.log.at(-1), { reason: /slower than 1\.50 ms 1500 of 2000/ });

    const gone = await rig(plan);
    gone.world.facts = { ...NOTHING, candidateReady: false };
    await gone.canary.tick();
    t.equal(gone.canary.state, 'ROLLED_BACK', 'a candidate that goes meanwhile ends the plan');
  },
);

t.test('a human is obeyed at any time', async (t) => {
  const { canary, moves, lines, world } = await rig();
  canary.hold('ann');
  world.facts = { ...NOTHING, compared: 1000, apart: 1000 };
  moves.splice(0);
  await canary.tick();
  t.same(moves, [], 'a held plan does nothing');
  await canary.resume('ann');
  world.facts = { ...NOTHING, compared: 1100, apart: 1100 };
  await canary.tick();
  t.equal(canary.state, 'ROLLED_BACK');
  await t.rejects(canary.promote('bob'), /ROLLED_BACK/);
  t.throws(() => {
    canary.hold('bob');
  }, /ROLLED_BACK/);
  t.match(lines[1], { action: 'hold', by: 'ann' });

  const promoted = await rig();
  await promoted.canary.promote('bob');
  t.equal(promoted.canary.state, 'PROMOTED');
  t.match(promoted.lines.at(-1), { action: 'promote', by: 'bob', reason: 'Promoted by hand.' });

  const undone = await rig();
  undone.canary.hold('ann');
  await undone.canary.rollback('bob');
  t.same(undone.moves, ['shadow 100 weight 0', 'rollback by bob'], 'from a held plan, too');
  undone.canary.end('hand');
  await undone.canary.tick();
  t.equal(undone.canary.state, 'ENDED');
});

t.test('a move that fails holds the plan and says why', async (t) => {
  const { canary, lines, world } = await rig();
  world.facts = { ...NOTHING, compared: 1000 };
  await canary.tick();
  await canary.tick();
  t.match(canary.status(), { reason: /^step 2 of 3 .*waiting for the p99 .*0 of 500/ });
  world.facts = { ...world.facts, baseline: quick(500) };
  world.fails = true;
  await t.rejects(canary.tick(), /cannot be written/);
  t.equal(canary.state, 'HELD');
  t.match(lines.at(-1), {
    action: 'fault',
    reason: /advance failed, the plan is held: the file cannot be written/,
  });
});

t.test('a candidate like its baseline is rolled back no more often than was stated', (t) => {
  const random = seededRandom(7);
  const runs = 200;
  let rolledBack = 0;
  for (let run = 0; run < runs; run += 1) {
    const state = at(1, { latencyLimitUs: 1500 });
    let errors = 0;
    let slow = 0;
    for (let requests = 1; requests <= 2000; requests += 1) {
      // Both exactly at their limits: the worst that a sound candidate can be.
      if (random() < 0.02) errors += 1;
      else if (random() < 0.01) slow += 1;
      if (requests % 40 !== 0) continue;
      const facts = { ...NOTHING, baseline: quick(2000), candidate: quick(requests, errors, slow) };
      if (decide(state, facts, 0).action !== 'rollback') continue;
      rolledBack += 1;
      break;
    }
  }
  t.comment(`${rolledBack} of ${runs} rolled back at a stated rate of 1 %`);
  t.ok(rolledBack <= runs * 0.01 + 3 * Math.sqrt(runs * 0.01));
  t.end();
});
