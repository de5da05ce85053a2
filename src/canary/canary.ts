/**
 * Carries out the plan of one model: reads what was counted since the step began, asks `decide`, does it, and keeps the
 * log. A human's word is obeyed at once and from any state. Lives on the loop, beside all requests.
 *
 *   RUNNING <--> HELD       RUNNING, HELD --> PROMOTED | ROLLED_BACK | ENDED
 */
import { SluiceError } from '../core/errors.js';
import {
  decide,
  latencyLimitUs,
  LEAST_FOR_P99,
  stepName,
  type CanaryAction,
  type CanaryFacts,
  type SideFacts,
  type StepState,
} from './decide.js';
import type { CanaryPlan } from './plan.js';

export type CanaryState = 'RUNNING' | 'HELD' | 'PROMOTED' | 'ROLLED_BACK' | 'ENDED';

/** What a plan moves. Each is in force when its promise is kept; the reason goes into the audit log. */
export interface CanaryControl {
  /** Of the step's two shares one is 0. */
  share(plan: CanaryPlan, shadowPercent: number, weight: number, reason: string): Promise<void>;
  /** The candidate becomes what the baseline was, and the plan ends. */
  promote(plan: CanaryPlan, by: string, reason: string): Promise<void>;
  /** The candidate gets nothing, and the plan ends. */
  rollBack(plan: CanaryPlan, by: string, reason: string): Promise<void>;
}

export interface CanaryLogLine {
  readonly timeMs: number;
  readonly action: CanaryAction | 'start' | 'resume' | 'fault' | 'end';
  /** Who decided: 'plan', or the id of a human's key. */
  readonly by: string;
  readonly reason: string;
}

export interface CanaryOptions {
  readonly plan: CanaryPlan;
  readonly control: CanaryControl;
  /** Everything counted so far; the canary takes the differences. */
  readonly facts: () => CanaryFacts;
  readonly nowMs: () => number;
  readonly log: (line: CanaryLogLine) => void;
}

const MOST_LINES = 500;

/** A number that fell was reset by a reload: what is left is counted from there. */
function sideSince(now: SideFacts, begun: SideFacts): SideFacts {
  if (now.requests < begun.requests) return now;
  const before = new Map(begun.latencyUs);
  return {
    requests: now.requests - begun.requests,
    errors: now.errors - begun.errors,
    latencyUs: now.latencyUs
      .map(([upper, count]) => [upper, count - (before.get(upper) ?? 0)] as const)
      .filter(([, count]) => count > 0),
  };
}

function since(now: CanaryFacts, begun: CanaryFacts): CanaryFacts {
  const isNew = now.compared < begun.compared;
  return {
    ...now,
    candidate: sideSince(now.candidate, begun.candidate),
    baseline: sideSince(now.baseline, begun.baseline),
    compared: now.compared - (isNew ? 0 : begun.compared),
    apart: now.apart - (isNew ? 0 : begun.apart),
    shadowFailed: now.shadowFailed - (isNew ? 0 : begun.shadowFailed),
  };
}

export class Canary {
  private current: CanaryState = 'RUNNING';
  private step: StepState;
  private begun: CanaryFacts;
  /** Since when the baseline is measured, for the bound of the whole plan. */
  private readonly measured: CanaryFacts;
  /** Takes traffic, and waits for that bound. */
  private waiting: { readonly index: number; readonly reason: string } | undefined;
  private readonly lines: CanaryLogLine[] = [];
  private lastReason = '';
  private turn: Promise<void> = Promise.resolve();
  private moving = false;

  constructor(private readonly options: CanaryOptions) {
    const { plan } = options;
    this.begun = this.measured = options.facts();
    this.step = { plan, step: 0, beganMs: options.nowMs(), latencyLimitUs: undefined };
  }

  /** Takes the first step; once. */
  async start(): Promise<void> {
    const { plan } = this.options;
    this.write('start', 'plan', `Version ${plan.candidate} against ${plan.baseline}.`);
    await this.inTurn(() => this.enter(0, 'the plan begins'));
  }

  get plan(): CanaryPlan {
    return this.options.plan;
  }

  get state(): CanaryState {
    return this.current;
  }

  /** From 1. */
  get stepNumber(): number {
    return this.step.step + 1;
  }

  /** A move of its own is under way: what it changes is no human's doing. */
  get isMoving(): boolean {
    return this.moving;
  }

  get log(): readonly CanaryLogLine[] {
    return this.lines;
  }

  status(): object {
    const { plan } = this.step;
    return {
      state: this.current,
      candidate: plan.candidate,
      baseline: plan.baseline,
      step: this.stepNumber,
      steps: plan.steps.length,
      since: new Date(this.step.beganMs).toISOString(),
      reason: this.lastReason,
    };
  }

  /** Looks once; called on a timer. */
  async tick(): Promise<void> {
    await this.inTurn(async () => {
      if (this.current !== 'RUNNING') return;
      const { options, waiting } = this;
      if (waiting !== undefined && options.facts().candidateReady) {
        await this.orHold('advance', 'plan', () => this.enter(waiting.index, waiting.reason));
        return;
      }
      const facts = since(options.facts(), this.begun);
      const { action, reason } = decide(this.step, facts, options.nowMs());
      // Every look has a reason; only a move is worth a line.
      this.lastReason = reason;
      if (action !== 'hold') await this.act(action, 'plan', reason);
    });
  }

  hold(by: string, reason = 'Held by hand.'): void {
    this.mustBeOpen('hold');
    this.current = 'HELD';
    this.write('hold', by, reason);
  }

  async resume(by: string): Promise<void> {
    if (this.current !== 'HELD')
      throw new SluiceError('CONFLICT', `Expected a plan that is held, this one is ${this.current}`);
    this.current = 'RUNNING';
    this.write('resume', by, 'Goes on by hand; the step begins anew.');
    await this.inTurn(() => this.enter(this.step.step, 'the plan goes on'));
  }

  async promote(by: string): Promise<void> {
    this.mustBeOpen('promote');
    await this.inTurn(() => this.act('promote', by, 'Promoted by hand.'));
  }

  async rollback(by: string): Promise<void> {
    this.mustBeOpen('roll back');
    await this.inTurn(() => this.act('rollback', by, 'Rolled back by hand.'));
  }

  /** The rollout no longer has the plan: whoever took it out has decided. */
  end(by: string): void {
    this.current = 'ENDED';
    this.write('end', by, 'The plan was taken out of the rollout.');
  }

  private mustBeOpen(verb: string): void {
    if (this.current === 'RUNNING' || this.current === 'HELD') return;
    throw new SluiceError(
      'CONFLICT',
      `Expected a plan that is under way to ${verb}, this one is ${this.current}`,
    );
  }

  /** One move after another: a look never meets a move that is half done. */
  private inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.turn.then(async () => {
      this.moving = true;
      try {
        await act();
      } finally {
        this.moving = false;
      }
    });
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async act(action: CanaryAction, by: string, reason: string): Promise<void> {
    if (this.current !== 'RUNNING' && this.current !== 'HELD') return;
    const { plan, control } = this.options;
    const wasHeld = this.current === 'HELD' && by === 'plan';
    if (wasHeld) return;
    await this.orHold(action, by, async () => {
      if (action === 'advance') await this.enter(this.step.step + 1, reason);
      if (action === 'promote') await control.promote(plan, by, reason);
      if (action === 'rollback') await control.rollBack(plan, by, reason);
    });
    if (action === 'promote') this.current = 'PROMOTED';
    if (action === 'rollback') this.current = 'ROLLED_BACK';
    this.write(action, by, reason);
  }

  private async orHold(action: CanaryAction, by: string, move: () => Promise<void>): Promise<void> {
    try {
      await move();
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      // Nothing more is done on its own until a human has looked.
      this.current = 'HELD';
      this.write('fault', by, `${action} failed, the plan is held: ${told}.`);
      throw error;
    }
  }

  private async enter(index: number, reason: string): Promise<void> {
    const { plan, control, facts, nowMs } = this.options;
    const step = plan.steps[index];
    const limitUs = this.step.latencyLimitUs ?? this.measureLimitUs();
    if (step?.weight !== undefined && plan.limits.p99Ratio !== undefined && limitUs === undefined) {
      // A split that is left of an earlier time must not give the candidate traffic meanwhile.
      if (this.waiting === undefined && index === 0) await control.share(plan, 0, 0, reason);
      this.waiting = { index, reason };
      return;
    }
    this.waiting = undefined;
    await control.share(plan, step?.shadowPercent ?? 0, step?.weight ?? 0, reason);
    this.begun = facts();
    this.step = { plan, step: index, beganMs: nowMs(), latencyLimitUs: limitUs };
  }

  /**
   * While the candidate has no traffic yet, and for the whole plan: one that is slow can make the baseline, which shares its
   * cores, as slow; and a bound that moved with the data would not keep its false-alarm rate.
   */
  private measureLimitUs(): number | undefined {
    const { plan, facts } = this.options;
    const { baseline } = since(facts(), this.measured);
    const limitUs = latencyLimitUs(plan, baseline);
    if (limitUs === undefined)
      this.lastReason =
        `${stepName(plan, this.waiting?.index ?? 0)}: waiting for the p99 of version ${plan.baseline}, the baseline, without the ` +
        `candidate beside it: ${baseline.requests} of ${LEAST_FOR_P99} requests.`;
    return limitUs;
  }

  private write(action: CanaryLogLine['action'], by: string, reason: string): void {
    const line = { timeMs: this.options.nowMs(), action, by, reason };
    this.lastReason = reason;
    this.lines.push(line);
    if (this.lines.length > MOST_LINES) this.lines.splice(1, 1);
    this.options.log(line);
  }
}
