/**
 * The plans of all models: begins one when a rollout brings it, ends it when the rollout no longer does, looks at each in its
 * rhythm, and lets it move the rollout. Whoever changes the split by hand is obeyed: the plan is held. Lives on the loop.
 * After a restart a plan begins anew at its first step.
 */
import { SluiceError } from '../core/errors.js';
import type { ShadowFacts } from '../core/shadow.js';
import type { ModelEntry, Snapshot, VersionEntry } from '../core/snapshot.js';
import { bucketUpperNs, okDurations, outcomeCount, type VersionStats } from '../core/version-stats.js';
import { Canary, type CanaryControl, type CanaryLogLine } from './canary.js';
import type { CanaryFacts, SideFacts } from './decide.js';
import type { CanaryPlan } from './plan.js';

export interface Arm {
  readonly to: string;
  readonly weight: number;
}

/** What a plan reads and writes of a rollout; other fields pass through. */
export interface PlannedRollout {
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  readonly split?: readonly Arm[] | undefined;
  readonly plan?: unknown;
}

export interface RolloutMoves<Rollout> {
  setSplit(rollout: Rollout, arms: Arm[]): { rollout: Rollout; told: string };
  /** `version` becomes stable and serves everything; the plan is gone. */
  promoteTo(rollout: Rollout, version: string): { rollout: Rollout; told: string };
}

export interface PlannedShadow {
  readonly version: string;
  readonly of: string;
  readonly percent: number;
}

export interface CanariesOptions<Rollout extends PlannedRollout> {
  readonly models: { readonly snapshot: Snapshot };
  readonly rollouts: {
    readonly inForce: ReadonlyMap<string, { readonly rollout: Rollout }>;
    change(
      modelName: string,
      change: { who: string; edit: (rollout: Rollout) => { rollout: Rollout; told: string } },
    ): Promise<unknown>;
  };
  readonly moves: RolloutMoves<Rollout>;
  /** undefined ends it. */
  readonly setShadow: (modelName: string, shadow: PlannedShadow | undefined) => void;
  /** Of the shadow that `setShadow` asked for, or of another of these two; undefined where none runs. */
  readonly shadowFacts: (modelName: string, primary: string, shadow: string) => ShadowFacts | undefined;
  readonly resolve: (model: ModelEntry, rollout: Rollout, label: string) => VersionEntry | undefined;
  readonly statsOf: (version: VersionEntry) => VersionStats | undefined;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  readonly nowMs?: () => number;
}

interface Running {
  readonly canary: Canary;
  readonly planText: string;
  nextLookMs: number;
  /** The split as the plan made it. */
  splitText: string;
}

const LOOK_MS = 50;
const NO_SIDE: SideFacts = { requests: 0, errors: 0, latencyUs: [] };

function sideOf(stats: VersionStats | undefined): SideFacts {
  if (stats === undefined) return NO_SIDE;
  const errors = outcomeCount(stats, 'failed') + outcomeCount(stats, 'expired');
  const latencyUs = [...okDurations(stats).counts].map((count, bucket) => {
    const upperNs = bucketUpperNs(bucket);
    return [upperNs < 0 ? Infinity : upperNs / 1000, count] as const;
  });
  return { requests: outcomeCount(stats, 'ok') + errors, errors, latencyUs };
}

function splitText(split: readonly Arm[] | undefined): string {
  return JSON.stringify((split ?? []).map(({ to, weight }) => [to, weight]));
}

export class Canaries<Rollout extends PlannedRollout> {
  private readonly byModel = new Map<string, Running>();
  private seen: ReadonlyMap<string, unknown> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: CanariesOptions<Rollout>) {}

  watch(): void {
    this.timer = setInterval(() => {
      this.look();
    }, LOOK_MS);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** The newest plan of a model, ended or not. */
  of(modelName: string): Canary | undefined {
    this.look();
    return this.byModel.get(modelName)?.canary;
  }

  mustHave(modelName: string): Canary {
    const canary = this.of(modelName);
    if (canary !== undefined) return canary;
    throw new SluiceError('NOT_FOUND', `model "${modelName}" has no plan in its rollout`);
  }

  look(): void {
    const { rollouts } = this.options;
    if (this.seen !== rollouts.inForce) {
      this.seen = rollouts.inForce;
      this.follow();
    }
    this.endThoseTakenOut();
    const nowMs = this.nowMs();
    for (const [modelName, running] of this.byModel) {
      if (running.canary.state !== 'RUNNING' || nowMs < running.nextLookMs) continue;
      running.nextLookMs = nowMs + running.canary.plan.checkSeconds * 1000;
      running.canary.tick().catch((error: unknown) => {
        this.options.log.error(
          { err: error, model: modelName },
          'a plan could not make its move and is held',
        );
      });
    }
  }

  private nowMs(): number {
    return (this.options.nowMs ?? Date.now)();
  }

  private follow(): void {
    const { rollouts, log } = this.options;
    for (const [modelName, { rollout }] of rollouts.inForce) {
      const running = this.byModel.get(modelName);
      if (rollout.plan === undefined) continue;
      const planText = JSON.stringify(rollout.plan);
      const isOpen = running?.canary.state === 'RUNNING' || running?.canary.state === 'HELD';
      if (isOpen && running?.planText === planText) {
        if (running.canary.state === 'RUNNING' && running.splitText !== splitText(rollout.split))
          running.canary.hold('hand', 'Held, because the split was changed by hand.');
        continue;
      }
      // A plan that ended takes itself out of the rollout; one that stands there is new.
      const made = this.make(modelName, rollout.plan as CanaryPlan, planText, splitText(rollout.split));
      this.byModel.set(modelName, made);
      made.canary.start().catch((error: unknown) => {
        log.error({ err: error, model: modelName }, 'a plan could not begin and is held');
        made.canary.hold('plan', `Held, because it could not begin: ${String(error)}`);
      });
    }
  }

  /** Not while a plan moves: a move of its own may be what takes it out. */
  private endThoseTakenOut(): void {
    const { rollouts, setShadow } = this.options;
    for (const [modelName, { canary }] of this.byModel) {
      const isOpen = canary.state === 'RUNNING' || canary.state === 'HELD';
      if (!isOpen || canary.isMoving) continue;
      if (rollouts.inForce.get(modelName)?.rollout.plan !== undefined) continue;
      setShadow(modelName, undefined);
      canary.end('hand');
    }
  }

  private make(modelName: string, plan: CanaryPlan, planText: string, split: string): Running {
    const { log } = this.options;
    const running: Running = {
      planText,
      nextLookMs: this.nowMs() + plan.checkSeconds * 1000,
      splitText: split,
      canary: new Canary({
        plan,
        control: this.controlOf(modelName, planText, (text) => (running.splitText = text)),
        facts: () => this.factsOf(modelName, plan),
        nowMs: () => this.nowMs(),
        log: (line: CanaryLogLine) => {
          log.info({ model: modelName, action: line.action, by: line.by }, `plan: ${line.reason}`);
        },
      }),
    };
    return running;
  }

  private controlOf(modelName: string, planText: string, willSplit: (text: string) => void): CanaryControl {
    const { rollouts, moves, setShadow } = this.options;
    const change = async (
      who: string,
      reason: string,
      edit: (rollout: Rollout) => Rollout,
    ): Promise<void> => {
      await rollouts.change(modelName, {
        who,
        edit: (rollout) => {
          // Taken out or replaced a moment ago: whoever did it has decided.
          if (JSON.stringify(rollout.plan) !== planText)
            throw new SluiceError('CONFLICT', 'the plan is no longer in the rollout');
          return { rollout: edit(rollout), told: reason };
        },
      });
    };
    return {
      share: async (plan, shadowPercent, weight, reason) => {
        const { candidate, baseline } = plan;
        const arms = [
          { to: baseline, weight: Number((100 - weight).toFixed(2)) },
          { to: candidate, weight },
        ];
        const split = weight === 0 ? [] : arms;
        willSplit(splitText(split));
        const before = rollouts.inForce.get(modelName)?.rollout.split;
        if (splitText(before) !== splitText(split))
          await change('plan', reason, (rollout) => moves.setSplit(rollout, split).rollout);
        setShadow(
          modelName,
          shadowPercent === 0 ? undefined : { version: candidate, of: baseline, percent: shadowPercent },
        );
      },
      promote: async (plan, by, reason) => {
        await change(by, reason, (rollout) => {
          const version = this.versionOf(modelName, rollout, plan.candidate);
          if (version === undefined)
            throw new SluiceError('CONFLICT', `version ${plan.candidate} is not there`);
          return moves.promoteTo(rollout, version.version).rollout;
        });
        setShadow(modelName, undefined);
      },
      rollBack: async (_plan, by, reason) => {
        await change(by, reason, (rollout) => {
          const { plan: _ended, ...rest } = moves.setSplit(rollout, []).rollout;
          return rest as Rollout;
        });
        setShadow(modelName, undefined);
      },
    };
  }

  private versionOf(modelName: string, rollout: Rollout, label: string): VersionEntry | undefined {
    const model = this.options.models.snapshot.models.get(modelName);
    return model === undefined ? undefined : this.options.resolve(model, rollout, label);
  }

  private factsOf(modelName: string, plan: CanaryPlan): CanaryFacts {
    const { rollouts, statsOf, shadowFacts } = this.options;
    const rollout = rollouts.inForce.get(modelName)?.rollout;
    const entryOf = (label: string): VersionEntry | undefined =>
      rollout === undefined ? undefined : this.versionOf(modelName, rollout, label);
    const candidate = entryOf(plan.candidate);
    const baseline = entryOf(plan.baseline);
    const shadow =
      candidate === undefined || baseline === undefined
        ? undefined
        : shadowFacts(modelName, baseline.version, candidate.version);
    return {
      candidateReady: candidate?.state === 'READY',
      baselineReady: baseline?.state === 'READY',
      candidate: sideOf(candidate === undefined ? undefined : statsOf(candidate)),
      baseline: sideOf(baseline === undefined ? undefined : statsOf(baseline)),
      compared: shadow?.compared ?? 0,
      apart: shadow?.apart ?? 0,
      shadowFailed: shadow?.skipped['runFailed'] ?? 0,
    };
  }
}
