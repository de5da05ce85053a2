/**
 * Decisions of routing: aliases, shares of a split against the binomial law, stickiness, which keys move, rules. The truth
 * is arithmetic: how many of a million keys may differ from the weights, and which may change sides.
 */
import t from 'tap';
import { RandomNumbers } from '../../src/routing/hash.js';
import type { Rollout } from '../../src/routing/rollout.js';
import { matchesGlob } from '../../src/routing/rules.js';
import { Split } from '../../src/routing/split.js';
import { route } from '../../src/routing/router.js';
import { InferRoute } from '../../src/serving/infer.js';
import { puppetHead } from '../support/puppet-http.js';
import { modelEntry, snapshotOf, tableOf, versionEntry } from '../support/puppet-snapshot.js';

const KEYS = 1_000_000;
/** Standard deviations; less than one honest run in a million is outside. */
const BOUND = 5;

function deviations(count: number, share: number, trials = KEYS): number {
  return Math.abs(count - trials * share) / Math.sqrt(trials * share * (1 - share));
}

t.test('a million keys fall on the arms by their weights', async (t) => {
  for (const canary of [1, 9, 90]) {
    const arms = [
      { name: 'stable', weight: 100 - canary },
      { name: 'canary', weight: canary },
    ];
    const split = new Split(arms, 'digits/');
    let count = 0;
    for (let key = 0; key < KEYS; key += 1) count += split.ofKey(`user-${key}`);
    const off = deviations(count, canary / 100);
    t.ok(off < BOUND, `${canary} %: ${count} keys, ${off.toFixed(1)} standard deviations off`);
  }
  const three = new Split(
    [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 9 },
      { name: 'c', weight: 90 },
    ],
    '',
  );
  const random = new RandomNumbers('a seed');
  const sticky = [0, 0, 0];
  const drawn = [0, 0, 0];
  for (let key = 0; key < 200_000; key += 1) {
    sticky[three.ofKey(String(key))]! += 1;
    drawn[three.atRandom(random)]! += 1;
  }
  for (const counts of [sticky, drawn])
    [0.01, 0.09, 0.9].forEach((share, arm) => t.ok(deviations(counts[arm]!, share, 200_000) < BOUND));
});

t.test('a key has the same arm in every process and release', async (t) => {
  const split = new Split(
    [
      { name: 'stable', weight: 50 },
      { name: 'canary', weight: 50 },
    ],
    'digits/',
  );
  const sides = Array.from({ length: 32 }, (_, key) => split.ofKey(`user-${key}`)).join('');
  // Written down once; users would change sides where this differs.
  t.equal(sides, '01100010011001100000111010111010');
  const numbers = (seed: string) =>
    Array.from(
      { length: 4 },
      (
        (r) => () =>
          r.next()
      )(new RandomNumbers(seed)),
    );
  t.same(numbers('x'), numbers('x'));
  t.notSame(numbers('x'), numbers('y'));
});

t.test('when weights grow, only the keys that must move do', async (t) => {
  const splitOf = (...weights: number[]) =>
    new Split(
      weights.map((weight, arm) => ({ name: `arm ${arm}`, weight })),
      '',
    );
  const steps = [1, 5, 10, 50, 100].map((canary) =>
    splitOf(...(canary === 100 ? [1e-9, 100] : [100 - canary, canary])),
  );
  const moved = [0, 0, 0, 0];
  for (let key = 0; key < 100_000; key += 1) {
    const arms = steps.map((split) => split.ofKey(String(key)));
    arms.slice(1).forEach((arm, step) => {
      if (arm !== arms[step]) moved[step]! += 1;
      if (arm < arms[step]!) t.fail(`key ${key} left the arm that grew`);
    });
  }
  [0.04, 0.05, 0.4, 0.5].forEach((share, step) =>
    t.ok(deviations(moved[step]!, share, 100_000) < BOUND, `step ${step}: ${moved[step]} moved`),
  );

  // A third arm that comes in takes from both and moves nobody between them.
  const [two, three] = [splitOf(60, 40), splitOf(54, 36, 10)];
  for (let key = 0; key < 100_000; key += 1) {
    const [before, after] = [two.ofKey(String(key)), three.ofKey(String(key))];
    if (before !== after && after !== 2) t.fail(`key ${key} moved between the arms that were there`);
  }
});

t.test('patterns', async (t) => {
  for (const [text, pattern, expected] of [
    ['beta-7', 'beta-*', true],
    ['beta-', 'beta-*', true],
    ['alpha-beta-7', 'beta-*', false],
    ['a.b.c', '*.c', true],
    ['abcabc', '*abc', true],
    ['abcab', '*abc', false],
    ['ab', '?b', true],
    ['b', '?b', false],
    ['', '*', true],
    ['a+b', 'a+b', true],
    ['aab', 'a+b', false],
    ['xaybzc', '*a*b*c', true],
    ['xaybz', '*a*b*c', false],
  ] as const)
    t.equal(matchesGlob(text, pattern), expected, `${text} ${pattern}`);
  const hostile = 'a'.repeat(1000);
  t.equal(matchesGlob(hostile, `${'*a'.repeat(100)}b`), false, 'ends');
});

function rig(rollout: Rollout, canaryState: 'READY' | 'UNLOADED' = 'READY') {
  const snapshot = snapshotOf(
    modelEntry('m', [
      versionEntry('m', '1', 1),
      versionEntry('m', '2', 2, canaryState),
      versionEntry('m', '3', 3),
    ]),
  );
  const table = tableOf(snapshot, { m: rollout });
  const inferRoute = new InferRoute('m', undefined);
  const choose = (headers: Record<string, string> = {}) =>
    inferRoute.targetIn(table, puppetHead(headers))?.version.version;
  const named = (name: string) => {
    const answer = route(table, 'm', name);
    return answer.target === undefined ? answer.error : answer.target.version.version;
  };
  return { choose, named, table };
}

const ALIASES = { stable: '1', canary: '2' };

t.test('aliases name versions, and stable is the default', async (t) => {
  const { choose, named, table } = rig({ aliases: ALIASES });
  t.equal(choose(), '1', 'not 3, the highest');
  t.equal(named('canary'), '2');
  t.equal(named('3'), '3');
  t.equal(named('cnary'), 'VERSION_NOT_FOUND');
  t.equal(named('__proto__'), 'VERSION_NOT_FOUND');
  t.match(route(table, 'm', 'cnary'), {
    message: /no version or alias "cnary" \(did you mean "canary"\?\)$/,
  });
  t.equal(rig({}).choose(), '3', 'without aliases the highest');
  t.equal(rig({ aliases: ALIASES, default: '3' }).choose(), '3');
  t.equal(rig({ aliases: ALIASES }, 'UNLOADED').named('canary'), 'NOT_READY');
  const gone = rig({ aliases: { stable: '2' } }, 'UNLOADED');
  t.equal(gone.choose(), undefined, 'no other version steps in for stable');
  t.match(route(gone.table, 'm', undefined), { error: 'NOT_READY', message: /version 2: .*UNLOADED/ });
});

t.test('a split sends keys one way always, and requests without a key both ways', async (t) => {
  const split = [
    { to: 'stable', weight: 70 },
    { to: 'canary', weight: 30 },
  ];
  const { choose, named } = rig({ aliases: ALIASES, split });
  const again = rig({ aliases: ALIASES, split });
  for (let key = 0; key < 1000; key += 1) {
    const headers = { 'sluice-routing-key': `user ${key}` };
    t.equal(choose(headers), again.choose(headers));
  }
  const counts = { '1': 0, '2': 0 };
  for (let time = 0; time < 10_000; time += 1) counts[choose() as '1' | '2'] += 1;
  t.ok(deviations(counts['2'], 0.3, 10_000) < BOUND, `${counts['2']} of 10000`);
  t.equal(named('1'), '1', 'who names a version gets it');
  const alone = rig({ aliases: ALIASES, split }, 'UNLOADED');
  for (let key = 0; key < 100; key += 1)
    t.equal(alone.choose({ 'sluice-routing-key': `user ${key}` }), '1', 'what is not READY takes no part');
});

t.test('rules come before the split, in their order', async (t) => {
  const { choose } = rig({
    aliases: ALIASES,
    split: [{ to: 'stable', weight: 100 }],
    rules: [
      { header: 'x-tenant', equals: 'acme', to: 'canary' },
      { header: 'x-tenant', prefix: 'a', to: '3' },
      { header: 'x-user', matches: 'beta-*', percent: 50, to: 'canary' },
    ],
  });
  t.equal(choose({ 'x-tenant': 'acme' }), '2');
  t.equal(choose({ 'x-tenant': 'abc' }), '3');
  t.equal(choose({ 'x-tenant': 'Acme' }), '1', 'case counts');
  t.equal(choose({ 'x-tenant': 'b' }), '1');
  t.equal(choose({ 'x-user': 'x-beta-1' }), '1');
  let taken = 0;
  for (let key = 0; key < 10_000; key += 1) {
    const headers = { 'x-user': 'beta-1', 'sluice-routing-key': String(key) };
    const version = choose(headers);
    if (version === '2') taken += 1;
    if (key < 200) t.equal(choose(headers), version, 'a percentage is sticky too');
  }
  t.ok(deviations(taken, 0.5, 10_000) < BOUND, `${taken} of 10000`);
});
