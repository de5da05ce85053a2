/**
 * Keeps the engine's shadows in step with the rules and with the versions that are ready, and says for each request whether
 * one goes along. Lives on the loop; `next` is on the way of a request: a look-up, and where there is a shadow a random number.
 */
import { SluiceError } from '../core/errors.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../core/shadow.js';
import type { ModelEntry, Snapshot, VersionEntry } from '../core/snapshot.js';
import { engineRules, type ShadowRule } from './rules.js';
import { Sampler } from './sampler.js';

/** The part of the engine that shadows need. */
export interface ShadowEngine {
  openShadow(primary: number, shadow: number, rules: ShadowRules): number;
  closeShadow(shadow: number): Promise<boolean>;
  shadowFacts(shadow: number): ShadowFacts;
  shadowMismatches(shadow: number): Promise<ShadowMismatch[]>;
}

export interface ShadowRollouts {
  readonly inForce: ReadonlyMap<string, { readonly rollout: { readonly shadow?: unknown } }>;
}

/** Of a frame that is only its routing key. */
interface RequestHeaders {
  /** '' when absent. */
  header(name: string): string;
}

const NO_ROLLOUT = {};

export interface ShadowsOptions {
  readonly engine: ShadowEngine;
  readonly models: { readonly snapshot: Snapshot };
  /** The `shadow` parts, by model; another object whenever anything changed. */
  readonly rollouts: ShadowRollouts;
  /** The version that a version or alias of a rule means; undefined where it means none. */
  readonly resolve: (model: ModelEntry, rollout: object, label: string) => VersionEntry | undefined;
  readonly log: { warn(fields: object, message: string): void };
}

/** One rule for one primary. `number` 0: not running, and `reason` says why. */
export interface Shadow {
  readonly modelName: string;
  readonly primary: VersionEntry | undefined;
  readonly shadow: VersionEntry | undefined;
  readonly rule: ShadowRule;
  readonly number: number;
  readonly reason: string;
}

interface Live extends Shadow {
  readonly sampler: Sampler;
}

interface Wanted {
  readonly primary: VersionEntry | undefined;
  readonly shadow: VersionEntry | undefined;
  readonly rule: ShadowRule;
  readonly reason: string;
}

export class Shadows {
  /** Of plans, beside those of the rollouts. */
  private readonly planned = new Map<string, ShadowRule>();
  private seen: Snapshot | undefined;
  private seenRollouts: ShadowRollouts['inForce'] | undefined;
  private live: Live[] = [];
  /** By the handle of the primary; undefined for nearly all. */
  private byHandle: Array<readonly Live[] | undefined> = [];

  constructor(private readonly options: ShadowsOptions) {}

  /** The shadow that a plan wants; undefined for none. A shadow whose rule stays the same goes on undisturbed. */
  setPlanned(modelName: string, rule: ShadowRule | undefined): void {
    if (rule === undefined) this.planned.delete(modelName);
    else this.planned.set(modelName, rule);
    this.sync();
  }

  /** The number of the shadow that goes along with a request to the version of this handle; 0 for none. */
  next(handle: number, headers: RequestHeaders): number {
    this.follow();
    const shadows = this.byHandle[handle];
    if (shadows === undefined) return 0;
    for (const { rule, sampler, number } of shadows) {
      const { when } = rule;
      if (when !== undefined && headers.header(when.header) !== when.equals) continue;
      if (sampler.takes()) return number;
    }
    return 0;
  }

  /** In the order of the rules. */
  list(modelName?: string): readonly Shadow[] {
    this.follow();
    return this.live.filter((shadow) => modelName === undefined || shadow.modelName === modelName);
  }

  /** undefined where it does not run. */
  factsOf(shadow: Shadow): ShadowFacts | undefined {
    if (shadow.number === 0) return undefined;
    try {
      return this.options.engine.shadowFacts(shadow.number);
    } catch {
      // Its version was closed a moment ago, and the snapshot does not tell yet.
      return undefined;
    }
  }

  factsBetween(modelName: string, primary: string, shadow: string): ShadowFacts | undefined {
    const found = this.list(modelName).find(
      (one) => one.number !== 0 && one.primary?.version === primary && one.shadow?.version === shadow,
    );
    return found === undefined ? undefined : this.factsOf(found);
  }

  async mismatchesOf(shadow: Shadow): Promise<ShadowMismatch[]> {
    return shadow.number === 0 ? [] : this.options.engine.shadowMismatches(shadow.number);
  }

  private follow(): void {
    const { models, rollouts } = this.options;
    if (this.seen !== models.snapshot || this.seenRollouts !== rollouts.inForce) this.sync();
  }

  private sync(): void {
    const { models, rollouts, engine } = this.options;
    this.seen = models.snapshot;
    this.seenRollouts = rollouts.inForce;
    const before = this.live;
    const kept = new Set<Live>();
    const names = new Set([...rollouts.inForce.keys(), ...this.planned.keys()]);
    this.live = [...names].flatMap((modelName) =>
      this.rulesOf(modelName)
        .flatMap((rule) => this.wanted(models.snapshot.models.get(modelName), rule))
        .map((wanted) => {
          const same = before.find((live) => !kept.has(live) && isSame(live, modelName, wanted));
          const live = same ?? this.start(modelName, wanted);
          kept.add(live);
          return live;
        }),
    );
    for (const live of before) {
      if (kept.has(live) || live.number === 0) continue;
      engine.closeShadow(live.number).catch(() => undefined);
    }
    this.byHandle = [];
    for (const live of this.live) {
      if (live.number === 0 || live.primary === undefined) continue;
      this.byHandle[live.primary.handle] = [...(this.byHandle[live.primary.handle] ?? []), live];
    }
  }

  private rulesOf(modelName: string): readonly ShadowRule[] {
    const planned = this.planned.get(modelName);
    // Checked by the schema when the rollout was read.
    const written = (this.rolloutOf(modelName).shadow ?? []) as readonly ShadowRule[];
    return planned === undefined ? written : [planned, ...written];
  }

  private rolloutOf(modelName: string): { readonly shadow?: unknown } {
    return this.options.rollouts.inForce.get(modelName)?.rollout ?? NO_ROLLOUT;
  }

  /** One entry for each primary that is ready; one with its reason where there is none. */
  private wanted(model: ModelEntry | undefined, rule: ShadowRule): Wanted[] {
    const none = { primary: undefined, shadow: undefined, rule };
    if (model === undefined) return [{ ...none, reason: 'there is no model of this name' }];
    const rollout = this.rolloutOf(model.name);
    const shadow = this.options.resolve(model, rollout, rule.version);
    if (shadow?.state !== 'READY') {
      const reason = `version ${rule.version} is ${shadow === undefined ? 'not there' : shadow.state}`;
      return [{ ...none, shadow, reason }];
    }
    const named = rule.of === undefined ? undefined : this.options.resolve(model, rollout, rule.of);
    const primaries = (rule.of === undefined ? [...model.versions.values()] : [named]).filter(
      (entry) => entry?.state === 'READY' && entry !== shadow,
    );
    if (primaries.length > 0) return primaries.map((primary) => ({ primary, shadow, rule, reason: '' }));
    const reason =
      named === shadow
        ? 'a version cannot be its own shadow'
        : `${rule.of === undefined ? 'no other version' : `version ${rule.of}`} is not ready`;
    return [{ ...none, shadow, reason }];
  }

  private start(modelName: string, wanted: Wanted): Live {
    const { primary, shadow, rule } = wanted;
    const sampler = new Sampler(rule.percent, rule.seed);
    let number = 0;
    let { reason } = wanted;
    if (primary !== undefined && shadow !== undefined) {
      try {
        number = this.options.engine.openShadow(primary.handle, shadow.handle, engineRules(rule));
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        reason = error.message;
        this.options.log.warn({ model: modelName, shadow: shadow.version, reason }, 'The shadow cannot run');
      }
    }
    return { modelName, primary, shadow, rule, number, reason, sampler };
  }
}

/** The same versions, opened the same time, under the same rule. */
function isSame(live: Live, modelName: string, { primary, shadow, rule, reason }: Wanted): boolean {
  return (
    live.modelName === modelName &&
    live.primary?.handle === primary?.handle &&
    live.shadow?.handle === shadow?.handle &&
    (live.number !== 0 || live.reason === reason || reason === '') &&
    (live.rule === rule || JSON.stringify(live.rule) === JSON.stringify(rule))
  );
}
