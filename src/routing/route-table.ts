/**
 * One immutable picture of routing: the models as they are loaded, with what their rollouts say. Replaced as a whole
 * whenever either changes; whoever holds one may keep what it learned from it for as long as it is the current one.
 */
import type { ModelEntry, Snapshot, VersionEntry } from '../core/snapshot.js';
import { Chooser, defaultName, type Target } from './chooser.js';
import type { RandomNumbers } from './hash.js';
import { versionOf, type Rollout } from './rollout.js';

/** What is in force for one model. */
export interface RolloutInForce {
  readonly rollout: Rollout;
  /** There is a file, it was never good, and so nobody knows what should serve. */
  readonly isUnknown: boolean;
}

export interface RolloutSource {
  /** Another object whenever anything changed. */
  readonly inForce: ReadonlyMap<string, RolloutInForce>;
}

export interface ModelRoutes {
  readonly rollout: RolloutInForce;
  readonly chooser: Chooser | undefined;
  /** What the rollout means by "no version"; undefined where it says nothing or its version is not READY. */
  readonly defaultTarget: Target | undefined;
  /** The version behind it; undefined where there is none at all. */
  readonly defaultVersion: string | undefined;
  targetOf(version: VersionEntry): Target;
}

export interface RouteTable {
  readonly snapshot: Snapshot;
  /** Models without a rollout are not in it. */
  readonly routes: ReadonlyMap<string, ModelRoutes>;
}

export const NO_ROLLOUTS: RolloutSource = { inForce: new Map() };

function modelRoutes(model: ModelEntry, inForce: RolloutInForce, random: RandomNumbers): ModelRoutes {
  const { rollout } = inForce;
  const targets = new Map<VersionEntry, Target>();
  const targetOf = (version: VersionEntry): Target => {
    const known = targets.get(version);
    if (known !== undefined) return known;
    const target = { version };
    targets.set(version, target);
    return target;
  };
  const readyTarget = (version: string): Target | undefined => {
    const entry = model.versions.get(version);
    return entry?.state === 'READY' ? targetOf(entry) : undefined;
  };
  const name = defaultName(rollout);
  const version = name === undefined ? model.defaultVersion?.version : versionOf(rollout, name);
  const defaultTarget = version === undefined ? undefined : readyTarget(version);
  const chooser = Chooser.of(model.name, rollout, readyTarget, defaultTarget, random);
  return { rollout: inForce, chooser, defaultTarget, defaultVersion: version, targetOf };
}

/** Makes the current table when somebody asks and something has changed since. Lives on the loop. */
export class Routing {
  private seenSnapshot: Snapshot | undefined;
  private seenRollouts: RolloutSource['inForce'] | undefined;
  private current: RouteTable | undefined;

  constructor(
    private readonly models: { readonly snapshot: Snapshot },
    private readonly rollouts: RolloutSource,
    private readonly random: RandomNumbers,
  ) {}

  get table(): RouteTable {
    const { snapshot } = this.models;
    const { inForce } = this.rollouts;
    if (this.current === undefined || snapshot !== this.seenSnapshot || inForce !== this.seenRollouts) {
      this.seenSnapshot = snapshot;
      this.seenRollouts = inForce;
      this.current = { snapshot, routes: this.makeRoutes(snapshot, inForce) };
    }
    return this.current;
  }

  private makeRoutes(snapshot: Snapshot, inForce: RolloutSource['inForce']): Map<string, ModelRoutes> {
    const routes = new Map<string, ModelRoutes>();
    for (const [name, rollout] of inForce) {
      const model = snapshot.models.get(name);
      if (model !== undefined) routes.set(name, modelRoutes(model, rollout, this.random));
    }
    return routes;
  }
}
