/**
 * Chooses the target of a request: model name, and version, alias or none, to one READY version, or the error to answer. Pure;
 * called when a path is new or the table is, and builds a string only when it refuses. Why a version was rejected may name
 * paths and is not for clients.
 */
import type { ErrorName } from '../core/errors.js';
import { didYouMean } from '../core/nearest.js';
import type { ModelEntry, VersionEntry } from '../core/snapshot.js';
import type { Chooser, Target } from './chooser.js';
import { VERSION_TEXT, versionOf } from './rollout.js';
import type { ModelRoutes, RouteTable } from './route-table.js';

export type Route =
  | {
      /** Where a request goes that gives the chooser nothing to choose by; with a split, the default. */
      readonly target: Target;
      /** Asked for each request anew, where a rollout has rules or a split. */
      readonly chooser: Chooser | undefined;
    }
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

function unknownVersion(model: ModelEntry, routes: ModelRoutes | undefined, name: string): Route {
  if (VERSION_TEXT.test(name)) {
    return refuse(
      'VERSION_NOT_FOUND',
      `Request for unknown model version: "${model.name}" has no version ${name}`,
    );
  }
  const aliases = Object.keys(routes?.rollout.rollout.aliases ?? {});
  return refuse(
    'VERSION_NOT_FOUND',
    `Request for unknown model version: "${model.name}" has no version or alias "${name.slice(0, 64)}"${didYouMean(name, aliases)}`,
  );
}

function toVersion(entry: VersionEntry, routes: ModelRoutes | undefined): Route {
  if (entry.state !== 'READY') return notReady(entry);
  return { target: routes?.targetOf(entry) ?? plainTarget(entry), chooser: undefined };
}

function plainTarget(version: VersionEntry): Target {
  return { version };
}

function withoutVersion(model: ModelEntry, routes: ModelRoutes | undefined): Route {
  if (routes === undefined) {
    return model.defaultVersion === undefined ? noDefault(model) : toVersion(model.defaultVersion, undefined);
  }
  if (routes.rollout.isUnknown) {
    return refuse(
      'NOT_READY',
      `Request for model "${model.name}": its rollout.json is not good, so the version must be named; the server's log tells more`,
    );
  }
  const { chooser, defaultTarget } = routes;
  const target = defaultTarget ?? chooser?.anyTarget();
  if (target !== undefined) return { target, chooser };
  const { defaultVersion } = routes;
  if (defaultVersion === undefined) return noDefault(model);
  const entry = model.versions.get(defaultVersion);
  return entry === undefined ? unknownVersion(model, routes, defaultVersion) : notReady(entry);
}

/** `name`: a version, an alias, or undefined for what the rollout says, else the model's default version. */
export function route(table: RouteTable, modelName: string, name: string | undefined): Route {
  const model = table.snapshot.models.get(modelName);
  if (model === undefined) {
    return refuse('MODEL_NOT_FOUND', `Request for unknown model: "${modelName}" is not found`);
  }
  const routes = table.routes.get(modelName);
  if (name === undefined) return withoutVersion(model, routes);
  const version = routes === undefined ? name : versionOf(routes.rollout.rollout, name);
  const entry = version === undefined ? undefined : model.versions.get(version);
  return entry === undefined ? unknownVersion(model, routes, name) : toVersion(entry, routes);
}
