/** Rollouts as `sluice route show` and `sluice models` print them. */
import t from 'tap';
import { planRow, rolloutRows, versionFacts } from '../../src/cli/rollout-text.js';
import type { Rollout } from '../../src/routing/rollout.js';

const ROLLOUT: Rollout = {
  aliases: { stable: '1', canary: '2' },
  split: [
    { to: 'stable', weight: 90 },
    { to: '2', weight: 10 },
  ],
  rules: [
    { header: 'x-tenant', equals: 'acme', percent: 50, to: 'canary' },
    { header: 'x-user', prefix: 'beta-', to: '2' },
  ],
};

function answer(rollout: Rollout, problem = '') {
  return { model: 'm', rollout, etag: '', problem };
}

t.test('rows stand in the order in which routing asks', async (t) => {
  t.same(rolloutRows(answer(ROLLOUT)), [
    ['m', 'x-tenant equals acme, 50 %', 'canary (version 2)'],
    ['m', 'x-user begins with beta-', 'version 2'],
    ['m', '90 % of the rest', 'stable (version 1)'],
    ['m', '10 % of the rest', 'version 2'],
    ['m', '/versions/stable', 'version 1'],
    ['m', '/versions/canary', 'version 2'],
  ]);
  t.same(rolloutRows(answer({})), [['m', 'everything', 'the highest version that is READY']]);
  t.same(rolloutRows(answer({ aliases: { stable: '1' } }, 'rollout.json: line 3'))[0], [
    'm',
    'everything',
    'stable (version 1)',
  ]);
  t.same(rolloutRows(answer({}, 'line 3')).at(-1), ['m', 'NOT IN FORCE', 'line 3']);
});

t.test('the share of a version', async (t) => {
  t.same(versionFacts(ROLLOUT, '1', '2'), { aliases: 'stable', share: '90 %' });
  t.same(versionFacts(ROLLOUT, '2', '2'), { aliases: 'canary', share: '10 %' });
  t.same(versionFacts({}, '2', '2'), { aliases: '', share: '100 %' });
  t.same(versionFacts({}, '1', '2'), { aliases: '', share: '0 %' });
  t.same(versionFacts({ aliases: { stable: '1' } }, '1', '2'), { aliases: 'stable', share: '100 %' });
});

t.test('a plan that is under way', async (t) => {
  const plan = { state: 'HELD', step: 2, steps: 3, reason: 'Held by hand.' };
  t.same(planRow('m', plan), ['m', 'plan HELD, step 2 of 3', 'Held by hand.']);
});
