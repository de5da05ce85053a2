/**
 * Rollouts: what a file may say, changes and who may make them when, edits by hand, what stays in force when a file is not
 * good, what is on disk afterwards.
 */
import t, { type Test } from 'tap';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Snapshot } from '../../src/core/snapshot.js';
import { promote, removeAlias, rollBack, setAlias, setSplit } from '../../src/routing/moves.js';
import {
  checkRollout,
  checkVersions,
  namedVersions,
  rolloutSchema,
  type Rollout,
} from '../../src/routing/rollout.js';
import {
  appendAudit,
  AUDIT_NAME,
  MAX_LOG_BYTES,
  OLDER_AUDIT_NAME,
  parseRolloutText,
  readAudit,
} from '../../src/routing/rollout-file.js';
import { Rollouts } from '../../src/routing/rollouts.js';
import { modelEntry, snapshotOf, versionEntry } from '../support/puppet-snapshot.js';

const SCHEMA = rolloutSchema({});
const ALIASES = { stable: '1', canary: '2' };

function picture(second: 'READY' | 'LOADING' | 'UNLOADED' = 'READY'): Snapshot {
  return snapshotOf(
    modelEntry('m', [
      versionEntry('m', '1', 1),
      versionEntry('m', '2', 2, second),
      versionEntry('m', '3', 3),
    ]),
    modelEntry('bare', [versionEntry('bare', '1', 4)]),
  );
}

async function rig(t: Test, text?: string) {
  const folder = join(t.testdir({ m: {} }), 'm');
  const path = join(folder, 'rollout.json');
  if (text !== undefined) writeFileSync(path, text);
  const lines: string[] = [];
  const say = (_fields: object, message: string) => lines.push(message);
  const models = { snapshot: snapshotOf() };
  const rollouts = new Rollouts({
    models,
    folderOf: async (name) => (name === 'm' ? folder : undefined),
    parts: {},
    log: { info: say, warn: say, error: say },
    nowMs: () => Date.UTC(2026, 10, 24),
  });
  await rollouts.start(['m']);
  models.snapshot = picture();
  t.teardown(() => rollouts.close());
  const file = () => JSON.parse(readFileSync(path, 'utf8')) as Rollout;
  const audit = () =>
    readFileSync(join(folder, AUDIT_NAME), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
  return { rollouts, models, path, folder, lines, file, audit };
}

t.test('what is wrong is refused with its place', async (t) => {
  const good = {
    aliases: ALIASES,
    split: [
      { to: 'stable', weight: 99.5 },
      { to: 'canary', weight: 0.5 },
    ],
    rules: [{ header: 'X-Tenant', equals: 'acme', to: '2' }],
  };
  t.equal(checkRollout(SCHEMA, good, 'rollout.json').rules?.[0]?.header, 'x-tenant');
  for (const [given, expected] of [
    [[], /^rollout\.json: expected object, got \[\]$/],
    [{ ailases: {} }, /^rollout\.json: unknown field "ailases"$/],
    [
      { aliases: { stable: 1 } },
      /^rollout\.json: aliases\.stable: expected a version as a text, such as "2", got 1$/,
    ],
    [{ aliases: { stable: '01' } }, /^rollout\.json: aliases\.stable: expected a version as digits/],
    [{ aliases: { '1': '1' } }, /^rollout\.json: aliases\["1"\]: /],
    [
      { default: 'stabel', aliases: ALIASES },
      /: default: expected .* got "stabel" \(did you mean "stable"\?\)$/,
    ],
    [
      { ...good, split: [{ to: 'stable', weight: 95 }] },
      /: split: expected weights that add up to 100, got 95$/,
    ],
    [
      {
        ...good,
        split: [
          { to: 'stable', weight: 50 },
          { to: 'stable', weight: 50 },
        ],
      },
      /split\[1\]\.to: "stable" is already split\[0\]$/,
    ],
    [
      { ...good, split: [{ to: 'stable', weight: 100.5 }] },
      /split\[0\]\.weight: expected a percentage from 0 to 100.*got 100\.5$/,
    ],
    [
      { ...good, split: [{ to: 'stable', weight: 99.999 }] },
      /split\[0\]\.weight: .*two decimals, got 99\.999$/,
    ],
    [
      { ...good, split: [{ to: 'stable', weight: '100' }] },
      /split\[0\]\.weight: expected a percentage.*got "100"$/,
    ],
    [{ ...good, split: [] }, /: split: expected at least one arm.*got \[\]$/],
    [
      { ...good, split: [{ to: 'canray', weight: 100 }] },
      /split\[0\]\.to: .*got "canray" \(did you mean "canary"\?\)$/,
    ],
    [
      { ...good, rules: [{ header: 'x', to: '2' }] },
      /rules\[0\]: expected exactly one of equals, prefix and matches$/,
    ],
    [
      { ...good, rules: [{ header: 'x', equals: 'a', prefix: 'b', to: '2' }] },
      /rules\[0\]: expected exactly one of/,
    ],
    [
      { ...good, rules: [{ header: 'x y', equals: 'a', to: '2' }] },
      /rules\[0\]\.header: expected the name of a header, got "x y"$/,
    ],
    [{ ...good, rules: [{ header: 'x', equals: 'a', to: 'nobody' }] }, /rules\[0\]\.to: .*got "nobody"$/],
    [{ ...good, shadow: {} }, /unknown field "shadow"$/],
  ] as const)
    t.throws(() => checkRollout(SCHEMA, given, 'rollout.json'), {
      code: 'CONFIG_INVALID',
      message: expected,
    });
  const withPlan = rolloutSchema({
    plan: z.strictObject({ candidate: z.string(), baseline: z.string(), steps: z.array(z.number()) }),
  });
  const plan = { candidate: '2', baseline: '1', steps: [1] };
  t.throws(() => checkRollout(withPlan, { plan: { ...plan, steps: ['a'] } }, 'f'), {
    message: /^f: plan\.steps\[0\]: /,
  });
  t.throws(() => checkRollout(withPlan, { plan: { ...plan, candidate: 'nobody' } }, 'f'), {
    message: /^f: plan\.candidate: expected a version or one of the aliases, got "nobody"$/,
  });
  t.same(Object.fromEntries(namedVersions(checkRollout(withPlan, { plan }, 'f'))), {
    'plan.candidate': '2',
    'plan.baseline': '1',
  });
  t.throws(() => parseRolloutText('{\n  "aliases": {,\n}'), {
    message: /^rollout\.json: line 2 column 15: /,
  });
  t.throws(() => parseRolloutText('{\n  "aliases": {'), { message: /^rollout\.json: line 2 column 15: / });
  t.throws(() => parseRolloutText(''), { message: /^rollout\.json: line 1 column 1: / });
});

t.test('moves', async (t) => {
  const start: Rollout = { aliases: { stable: '1' } };
  const canary = setAlias(start, 'canary', '2').rollout;
  const split = setSplit(canary, [
    { to: 'stable', weight: 90 },
    { to: 'canary', weight: 10 },
  ]).rollout;
  const withRules: Rollout = {
    ...split,
    plan: { candidate: 'canary', baseline: 'stable' },
    rules: [{ header: 'x', equals: 'a', to: 'canary' }],
  };
  const promoted = promote(withRules);
  t.same(promoted.rollout, { aliases: { stable: '2', previous: '1' } });
  t.match(promoted.told, /^version 2 is stable now .*previous is version 1$/);
  const aborted = rollBack(withRules);
  t.same(aborted.rollout, { aliases: { stable: '1', canary: '2' } });
  t.equal(aborted.told, 'stable, version 1, serves everything again');
  const back = rollBack(promoted.rollout);
  t.same(back.rollout, { aliases: { stable: '1', previous: '2' } });
  t.equal(back.told, 'stable went back from version 2 to version 1');
  t.same(rollBack(back.rollout).rollout, promoted.rollout, 'and forth');
  t.same(
    setAlias(promoted.rollout, 'canary', 'previous').rollout.aliases?.['canary'],
    '1',
    'an alias of an alias',
  );
  t.throws(() => promote(start), { code: 'CONFLICT' });
  t.throws(() => rollBack(start), { code: 'CONFLICT' });
  t.throws(() => rollBack({}), { code: 'CONFLICT' });
  t.same(setSplit(split, []).rollout, { aliases: ALIASES });
});

t.test('an alias may be called like what every object has', async (t) => {
  t.throws(() => removeAlias({ aliases: ALIASES }, 'constructor'), { code: 'NOT_FOUND' });
  t.throws(() => setAlias({ aliases: ALIASES }, '__proto__', '2'), { code: 'CONFIG_INVALID' });
  t.equal(setAlias({ aliases: ALIASES }, 'toString', '2').told, 'toString moved from nothing to version 2');
});

t.test('a model whose folder comes later has its rollout from then on', async (t) => {
  const folder = join(t.testdir({ m: { 'rollout.json': JSON.stringify({ aliases: ALIASES }) } }), 'm');
  const models = { snapshot: picture() };
  let isThere = false;
  const say = () => undefined;
  const rollouts = new Rollouts({
    models,
    folderOf: async () => (isThere ? folder : undefined),
    parts: {},
    log: { info: say, warn: say, error: say },
  });
  await rollouts.lookAtAll();
  isThere = true;
  await rollouts.lookAtAll();
  t.notOk(rollouts.inForce.has('m'), 'nothing was loaded since');
  models.snapshot = picture();
  await rollouts.lookAtAll();
  t.same(rollouts.inForce.get('m')?.rollout.aliases, ALIASES);
});

t.test('a change is checked, written whole, put in force and logged', async (t) => {
  const { rollouts, models, folder, file, audit } = await rig(t);
  t.equal(rollouts.inForce.size, 0);
  const first = await rollouts.change('m', {
    who: 'ops',
    edit: (rollout) => setAlias(rollout, 'stable', '1'),
  });
  t.equal(first.told, 'stable moved from nothing to version 1');
  const before = rollouts.inForce;
  await rollouts.change('m', { who: 'ops', edit: (rollout) => setAlias(rollout, 'canary', '2') });
  t.not(rollouts.inForce, before, 'another picture');
  t.same(before.get('m')?.rollout, { aliases: { stable: '1' } }, 'and the old one is as it was');
  t.same(file(), { aliases: ALIASES });
  t.same(readdirSync(folder).sort(), ['rollout-log.jsonl', 'rollout.json'], 'nothing half written is left');
  t.same(audit(), [
    {
      time: '2026-11-24T00:00:00.000Z',
      who: 'ops',
      model: 'm',
      told: 'stable moved from nothing to version 1',
      from: {},
      to: { aliases: { stable: '1' } },
    },
    {
      time: '2026-11-24T00:00:00.000Z',
      who: 'ops',
      model: 'm',
      told: 'canary moved from nothing to version 2',
      from: { aliases: { stable: '1' } },
      to: { aliases: ALIASES },
    },
  ]);
  t.match(await rollouts.history('m', 1), [{ told: /canary/ }]);
  t.same(rollouts.keptVersions('m'), new Set(['1', '2']));

  models.snapshot = picture('UNLOADED');
  const { etag } = rollouts.stateOf('m');
  for (const [edit, code] of [
    [(rollout: Rollout) => setAlias(rollout, 'stable', '2'), 'CONFLICT'],
    [(rollout: Rollout) => setAlias(rollout, 'blue', '9'), 'CONFIG_INVALID'],
    [(rollout: Rollout) => setAlias(rollout, 'blue', 'green'), 'NOT_FOUND'],
    [promote, 'CONFLICT'],
    [rollBack, 'CONFLICT'],
  ] as const)
    await t.rejects(rollouts.change('m', { who: 'ops', edit }), { code });
  await t.rejects(rollouts.change('m', { who: 'ops', edit: (rollout) => setAlias(rollout, 'stable', '2') }), {
    message: 'rollout.json: aliases.stable: version 2 of model "m" is not READY',
  });
  t.equal(rollouts.stateOf('m').etag, etag, 'nothing changed');
  t.equal(audit().length, 2);
  for (const name of ['nobody', '__proto__'])
    await t.rejects(rollouts.change(name, { who: 'ops', edit: rollBack }), { code: 'MODEL_NOT_FOUND' });
  await t.rejects(rollouts.change('bare', { who: 'ops', edit: rollBack }), {
    code: 'CONFLICT',
    message: /bare file/,
  });
});

t.test('who changes what has changed meanwhile is told so', async (t) => {
  const { rollouts, path } = await rig(t, JSON.stringify({ aliases: ALIASES }));
  const { etag } = rollouts.stateOf('m');
  const edits = ['1', '3'].map((version) =>
    rollouts.change('m', {
      who: version,
      ifMatch: etag,
      edit: (rollout) => setAlias(rollout, 'canary', version),
    }),
  );
  const [first, second] = await Promise.allSettled(edits);
  t.equal(first?.status, 'fulfilled', 'changes at the same time are made one after the other');
  t.match(second, { status: 'rejected', reason: { code: 'CHANGED_MEANWHILE' } });
  writeFileSync(path, JSON.stringify({ aliases: { stable: '3' } }));
  const now = rollouts.stateOf('m').etag;
  await t.rejects(
    rollouts.change('m', { who: 'ops', ifMatch: now, edit: rollBack }),
    { code: 'CHANGED_MEANWHILE' },
    'an edit by hand that nobody has seen yet counts',
  );
  t.same(rollouts.stateOf('m').rollout, { aliases: { stable: '3' } });
});

t.test('an edit by hand is picked up; one that is not good changes nothing', async (t) => {
  const { rollouts, models, path, lines, audit } = await rig(t, JSON.stringify({ aliases: ALIASES }));
  t.same(rollouts.inForce.get('m'), { rollout: { aliases: ALIASES }, isUnknown: false });
  writeFileSync(path, JSON.stringify({ aliases: { stable: '3', canary: '2' } }));
  await rollouts.lookAtAll();
  t.equal(rollouts.stateOf('m').rollout.aliases?.['stable'], '3');
  t.match(audit(), [{ who: 'file', from: { aliases: ALIASES }, to: { aliases: { stable: '3' } } }]);

  const inForce = rollouts.inForce;
  for (const [text, problem] of [
    ['{"aliases": {"stable": "1"', /line 1 column 27/],
    ['', /line 1 column 1/],
    ['{"aliases": {"stable": "9"}}', /aliases\.stable: model "m" has no version 9, it has 1, 2, 3$/],
    ['{"aliases": {}, "default": "stable"}', /default: expected a version or one of the aliases/],
  ] as const) {
    writeFileSync(path, text);
    await rollouts.lookAtAll();
    t.match(rollouts.stateOf('m').problem, problem);
    t.equal(rollouts.inForce, inForce, 'the same picture, so nobody chooses anew');
    const told = lines.length;
    await rollouts.lookAtAll();
    t.equal(lines.length, told, 'told once');
  }
  await t.rejects(
    rollouts.change('m', { who: 'ops', edit: (rollout) => setAlias(rollout, 'canary', '1') }),
    { code: 'CONFLICT', message: /mend it first/ },
    'what somebody is writing is not written over',
  );

  models.snapshot = picture('LOADING');
  writeFileSync(path, '{"aliases": {"stable": "2"}}');
  await rollouts.lookAtAll();
  t.match(rollouts.stateOf('m'), { problem: /version 2 .*not READY/, rollout: { aliases: { stable: '3' } } });
  t.ok(rollouts.keptVersions('m').has('2'), 'asked for');
  models.snapshot = picture();
  await rollouts.lookAtAll();
  t.match(
    rollouts.stateOf('m'),
    { problem: '', rollout: { aliases: { stable: '2' } } },
    'good once it is READY',
  );

  rmSync(path);
  await rollouts.lookAtAll();
  t.ok(rollouts.inForce.has('m'), 'editors delete before they write');
  await rollouts.lookAtAll();
  t.notOk(rollouts.inForce.has('m'), 'gone is no rollout');
  t.equal(rollouts.stateOf('m').etag, '');
});

t.test('a file that was never good leaves nobody to guess', async (t) => {
  const { rollouts, path } = await rig(t, '{"aliases": ');
  t.match(rollouts.inForce.get('m'), { isUnknown: true });
  writeFileSync(path, '{"aliases": {"stable": ');
  await rollouts.lookAtAll();
  t.match(rollouts.inForce.get('m'), { isUnknown: true }, 'still not good');
  writeFileSync(`${path}.new`, '{"aliases": {"stable": "1"}}');
  renameSync(`${path}.new`, path);
  await rollouts.lookAtAll();
  t.match(rollouts.inForce.get('m'), { isUnknown: false, rollout: { aliases: { stable: '1' } } });
});

t.test('a rollout that cannot be written is not in force', async (t) => {
  const { rollouts, folder, path } = await rig(t);
  mkdirSync(path);
  await t.rejects(
    rollouts.change('m', {
      who: 'ops',
      mayReplaceBroken: true,
      edit: (rollout) => setAlias(rollout, 'stable', '1'),
    }),
    { code: 'CONFLICT', message: /cannot be written into the folder "m"/ },
  );
  t.same(rollouts.stateOf('m').rollout, {});
  t.same(readdirSync(folder), ['rollout.json']);
  t.notOk(existsSync(join(folder, AUDIT_NAME)));
});

t.test('the versions of a shadow are held to the rules of all others', async (t) => {
  const schema = rolloutSchema({
    shadow: z.array(z.strictObject({ version: z.string(), of: z.string().optional() })),
  });
  const shadow = [{ version: '7' }, { version: 'canary', of: '3' }];
  t.same(Object.fromEntries(namedVersions(checkRollout(schema, { aliases: ALIASES, shadow }, 'f'))), {
    'aliases.stable': '1',
    'aliases.canary': '2',
    'shadow[0].version': '7',
    'shadow[1].of': '3',
  });
  t.throws(() => checkRollout(schema, { aliases: ALIASES, shadow: [{ version: '2', of: 'stabel' }] }, 'f'), {
    message:
      'f: shadow[0].of: expected a version or one of the aliases, got "stabel" (did you mean "stable"?)',
  });
  const known = { has: (version: string) => version !== '7', isReady: (version: string) => version !== '3' };
  const check = (rollout: Rollout, before: Rollout) => {
    checkVersions(rollout, before, 'm', { ...known, keys: () => ['1', '2', '3'] }, 'f');
  };
  t.throws(() => check({ shadow }, {}), {
    code: 'CONFIG_INVALID',
    message: 'f: shadow[0].version: model "m" has no version 7, it has 1, 2, 3',
  });
  t.throws(() => check({ shadow: [{ version: '2', of: '3' }] }, {}), {
    code: 'CONFLICT',
    message: 'f: shadow[0].of: version 3 of model "m" is not READY',
  });
  check({ shadow }, { shadow });
  const promoted = promote({
    aliases: ALIASES,
    shadow: [{ version: '2' }, { version: 'canary', of: 'stable' }],
  });
  t.same(promoted.rollout.shadow, [{ version: '2' }], 'one that names the canary ends with it');
});

t.test('a log that is full makes room once more, and both are read', async (t) => {
  const folder = t.testdir({});
  const entry = (number: number) => ({ number, told: 'x'.repeat(MAX_LOG_BYTES / 4) });
  for (let number = 1; number <= 8; number += 1) await appendAudit(folder, entry(number));
  const numbers = async (last: number) =>
    (await readAudit(folder, last)).map((line) => (line as { number: number }).number);
  t.same(readdirSync(folder).sort(), [AUDIT_NAME, OLDER_AUDIT_NAME].sort());
  for (const name of [AUDIT_NAME, OLDER_AUDIT_NAME])
    t.ok(readFileSync(join(folder, name)).length <= MAX_LOG_BYTES, name);
  t.same(await numbers(3), [6, 7, 8]);
  t.same(await numbers(5), [4, 5, 6, 7, 8], 'also from the older one');
  t.same(await readAudit(t.testdir({ none: {} }), 3), []);
});
