/**
 * What the server says about itself and its models: V2 health, readiness, metadata. Pure reading of the snapshot; made
 * new on every request, because nobody asks often.
 */
import type { Reply } from '../core/exchange.js';
import type { ModelEntry, VersionEntry } from '../core/snapshot.js';
import { route } from '../routing/router.js';
import type { SnapshotSource } from './infer.js';
import { errorReply, jsonReply } from './replies.js';

export interface ServerFacts {
  readonly version: string;
  /** Names of V2 extensions that are really there. */
  readonly extensions: readonly string[];
}

/** False from the moment a stop begins, and before the first models are loaded. */
export interface Readiness {
  readonly isStarted: boolean;
  readonly isStopping: boolean;
}

export class Metadata {
  constructor(
    private readonly models: SnapshotSource,
    private readonly facts: ServerFacts,
    private readonly readiness: Readiness,
  ) {}

  server(): Reply {
    return jsonReply({ name: 'sluice', version: this.facts.version, extensions: this.facts.extensions });
  }

  live(): Reply {
    return jsonReply({ live: true });
  }

  ready(): Reply {
    const { isStarted, isStopping } = this.readiness;
    if (isStopping) return errorReply('DRAINING', 'The server is stopping');
    if (!isStarted) return errorReply('NOT_READY', 'The server is loading its models');
    for (const model of this.models.snapshot.models.values()) {
      if (!model.isReady) return errorReply('NOT_READY', `Model "${model.name}" is not ready`);
    }
    return jsonReply({ ready: true });
  }

  modelNames(): Reply {
    return jsonReply({ models: [...this.models.snapshot.models.keys()] });
  }

  modelReady(name: string, version: string | undefined): Reply {
    const answer = route(this.models.snapshot, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    if (this.readiness.isStopping) return errorReply('DRAINING', 'The server is stopping');
    return jsonReply({ name, ready: true });
  }

  model(name: string, version: string | undefined): Reply {
    const { snapshot } = this.models;
    const answer = route(snapshot, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    const model = snapshot.models.get(name);
    const signature = answer.target.metadata;
    if (model === undefined || signature === undefined) {
      return errorReply('INTERNAL', `Model "${name}" is ready but its inputs and outputs are not known`);
    }
    const versions = version === undefined ? readyVersions(model) : [version];
    return jsonReply({
      name,
      versions,
      platform: model.platform,
      inputs: signature.inputs,
      outputs: signature.outputs,
    });
  }
}

function readyVersions(model: ModelEntry): string[] {
  return [...model.versions.values()].filter(isReady).map((entry) => entry.version);
}

function isReady(entry: VersionEntry): boolean {
  return entry.state === 'READY';
}
