/**
 * What the server says about itself and its models: V2 health, readiness, metadata. Pure reading of the snapshot; made
 * new on every request, because nobody asks often.
 */
import type { Reply } from '../core/exchange.js';
import type { ModelEntry, VersionEntry } from '../core/snapshot.js';
import { route } from '../routing/router.js';
import type { RouteSource } from './infer.js';
import { errorReply, jsonReply } from './replies.js';

export interface ServerFacts {
  readonly version: string;
  /** Names of V2 extensions that are really there. */
  readonly extensions: readonly string[];
}

export interface Readiness {
  /** From the moment a stop begins. */
  readonly isStopping: boolean;
  isReady(): boolean;
  /** Whether a version that is READY answers nobody, because all of its runs hang. */
  isHung?(version: VersionEntry): boolean;
  /** Health is open to everybody; where keys are needed, the names of models are not. */
  readonly hidesNames?: boolean;
}

export class Metadata {
  constructor(
    private readonly routing: RouteSource,
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
    if (this.readiness.isStopping) return errorReply('DRAINING', 'The server is stopping');
    const models = [...this.routing.table.snapshot.models.values()];
    const hung = models.filter((model) => [...model.versions.values()].some((entry) => this.isHung(entry)));
    if (hung.length === 0 && this.readiness.isReady()) return jsonReply({ ready: true });
    if (this.readiness.hidesNames === true) return errorReply('NOT_READY', 'Not every model is ready');
    const missing = models.filter((model) => !model.isReady || hung.includes(model));
    const names = missing.map((model) => model.name).join(', ');
    return errorReply(
      'NOT_READY',
      names === '' ? 'No models are loaded' : `Models that are not ready: ${names}`,
    );
  }

  modelNames(): Reply {
    return jsonReply({ models: [...this.routing.table.snapshot.models.keys()] });
  }

  modelReady(name: string, version: string | undefined): Reply {
    const answer = route(this.routing.table, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    if (this.readiness.isStopping) return errorReply('DRAINING', 'The server is stopping');
    if (this.isHung(answer.target.version)) {
      return errorReply('NOT_READY', `Model "${name}" does not answer: its runs hang`);
    }
    return jsonReply({ name, ready: true });
  }

  private isHung(version: VersionEntry): boolean {
    return version.state === 'READY' && this.readiness.isHung?.(version) === true;
  }

  model(name: string, version: string | undefined): Reply {
    const { table } = this.routing;
    const answer = route(table, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    const model = table.snapshot.models.get(name);
    const signature = answer.target.version.metadata;
    if (model === undefined || signature === undefined) {
      return errorReply('INTERNAL', `Model "${name}" is ready but its inputs and outputs are not known`);
    }
    const versions = version === undefined ? readyVersions(model) : [answer.target.version.version];
    return jsonReply({
      name,
      versions,
      platform: model.platform,
      inputs: signature.inputs,
      outputs: signature.outputs,
    });
  }

  /** The completed configuration, in Triton's JSON form. */
  modelConfig(name: string, version: string | undefined): Reply {
    const answer = route(this.routing.table, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    const { facts } = answer.target.version;
    if (facts === undefined)
      return errorReply('INTERNAL', `Model "${name}" is ready but its configuration is not known`);
    return jsonReply(facts.config);
  }
}

function readyVersions(model: ModelEntry): string[] {
  return [...model.versions.values()].filter(isReady).map((entry) => entry.version);
}

function isReady(entry: VersionEntry): boolean {
  return entry.state === 'READY';
}
