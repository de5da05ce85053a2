/** The plans of all models beside their rollouts: what becomes of a plan that another takes the place of. */
import t from 'tap';
import { Canaries, type PlannedRollout } from '../../src/canary/canaries.js';
import { canaryPlan } from '../../src/canary/plan.js';
import { modelEntry, snapshotOf, versionEntry } from '../support/puppet-snapshot.js';

type Rollout = PlannedRollout;

function planTo(weight: number) {
  const steps = [{ weight, minSamples: 1 }];
  return canaryPlan.parse({ candidate: '2', baseline: '1', steps, limits: { errorRate: 0.5 } });
}

t.test('a plan whose place another has taken moves nothing any more', async (t) => {
  const versions = [versionEntry('m', '1', 1), versionEntry('m', '2', 2)];
  const models = { snapshot: snapshotOf(modelEntry('m', versions)) };
  const rollouts = {
    inForce: new Map([['m', { rollout: { plan: planTo(10) } as Rollout }]]),
    turn: Promise.resolve(),
    change(model: string, { edit }: { edit: (rollout: Rollout) => { rollout: Rollout } }): Promise<void> {
      const done = this.turn.then(() => {
        const { rollout } = edit(this.inForce.get(model)!.rollout);
        this.inForce = new Map([[model, { rollout }]]);
      });
      this.turn = done.catch(() => undefined);
      return done;
    },
  };
  const canaries = new Canaries<Rollout>({
    models,
    rollouts,
    moves: {
      setSplit: (rollout, split) => ({ rollout: { ...rollout, split }, told: '' }),
      promoteTo: (rollout) => ({ rollout, told: '' }),
    },
    setShadow: () => undefined,
    shadowFacts: () => undefined,
    resolve: (model, _rollout, label) => model.versions.get(label),
    statsOf: () => undefined,
    log: { info: () => undefined, error: () => undefined },
    nowMs: () => 0,
  });
  // The first plan is about to make its split when the second comes.
  canaries.look();
  rollouts.inForce = new Map([['m', { rollout: { plan: planTo(20) } }]]);
  await new Promise(setImmediate);
  t.same(rollouts.inForce.get('m')?.rollout.split, undefined, 'not the split of a plan that is gone');
  canaries.look();
  await new Promise(setImmediate);
  t.same(
    rollouts.inForce.get('m')?.rollout.split?.map(({ weight }) => weight),
    [80, 20],
  );
  t.equal(canaries.of('m')?.state, 'RUNNING');
});
