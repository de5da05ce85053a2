/**
 * Chooses the target of a request: model name and version to one READY version, or the error to answer. Pure; called
 * once per request on the loop, so it does Map look-ups only and builds a string only when it refuses. Why a version was rejected may name paths and is not for clients.
 */
import type { ErrorName } from '../core/errors.js';
import type { ModelEntry, Snapshot, VersionEntry } from '../core/snapshot.js';

export type Route =
  | { readonly target: VersionEntry }
  | { readonly target: undefined; readonly error: ErrorName; readonly message: string };

function refuse(error: ErrorName, message: string): Route {
  return { target: undefined, error, message };
}

function notReady(entry: VersionEntry): Route {
  if (entry.state === 'REJECTED') {
    return refuse(
      'NOT_READY',
      `Request for model "${entry.modelName}" version ${entry.version}: it could not be loaded, the server's log tells why`,
    );
  }
  return refuse(
    'NOT_READY',
    `Request for model "${entry.modelName}" version ${entry.version}: it is not ready, its state is ${entry.state}`,
  );
}

function noDefault(model: ModelEntry): Route {
  let last: VersionEntry | undefined;
  for (const version of model.versions.values()) last = version;
  if (last !== undefined) return notReady(last);
  return refuse('NOT_READY', `Request for model "${model.name}": it has no version that is ready`);
}

/** `version` undefined: the model's default version. */
export function route(snapshot: Snapshot, modelName: string, version: string | undefined): Route {
  const model = snapshot.models.get(modelName);
  if (model === undefined) {
    return refuse('MODEL_NOT_FOUND', `Request for unknown model: "${modelName}" is not found`);
  }
  if (version === undefined) {
    return model.defaultVersion === undefined ? noDefault(model) : { target: model.defaultVersion };
  }
  const entry = model.versions.get(version);
  if (entry === undefined) {
    return refuse(
      'VERSION_NOT_FOUND',
      `Request for unknown model version: "${modelName}" has no version ${version}`,
    );
  }
  return entry.state === 'READY' ? { target: entry } : notReady(entry);
}
