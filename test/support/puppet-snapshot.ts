/**
 * Pictures of models that nobody loaded, for tests of serving and transport: `version('m', '1')` and so on.
 */
import type { ModelEntry, Snapshot, VersionEntry } from '../../src/core/snapshot.js';
import { VersionUse } from '../../src/core/version-use.js';
import type { VersionState } from '../../src/core/model.js';
import { RandomNumbers } from '../../src/routing/hash.js';
import type { Rollout } from '../../src/routing/rollout.js';
import { NO_ROLLOUTS, Routing, type RouteTable } from '../../src/routing/route-table.js';

export function versionEntry(
  modelName: string,
  version: string,
  handle: number,
  state: VersionState = 'READY',
): VersionEntry {
  return {
    modelName,
    version,
    generation: 1,
    state,
    reason: state === 'REJECTED' ? 'the file is not an ONNX model' : '',
    handle: state === 'READY' ? handle : -1,
    plan: undefined,
    metadata: {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
    },
    report: undefined,
    facts: undefined,
    isEdited: false,
    use: new VersionUse(),
  };
}

export function modelEntry(name: string, versions: readonly VersionEntry[]): ModelEntry {
  const ready = versions.filter((version) => version.state === 'READY');
  return {
    name,
    platform: 'onnxruntime_onnx',
    versions: new Map(versions.map((version) => [version.version, version])),
    pinnedVersion: undefined,
    defaultVersion: ready.at(-1),
    reason: '',
    isReady: versions.length > 0 && ready.length === versions.length,
  };
}

export function snapshotOf(...models: ModelEntry[]): Snapshot {
  return { models: new Map(models.map((model) => [model.name, model])) };
}

/** Routing over models without rollouts; follows `models.snapshot`. */
export function routingOf(models: { readonly snapshot: Snapshot }): Routing {
  return new Routing(models, NO_ROLLOUTS, new RandomNumbers('test'));
}

/** The routing table of a picture, with rollouts for some of its models. */
export function tableOf(snapshot: Snapshot, rollouts: Readonly<Record<string, Rollout>> = {}): RouteTable {
  const entries = Object.entries(rollouts).map(
    ([name, rollout]) => [name, { rollout, isUnknown: false }] as const,
  );
  return new Routing({ snapshot }, { inForce: new Map(entries) }, new RandomNumbers('test')).table;
}
