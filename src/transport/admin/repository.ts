/**
 * The rows of the admin table that change the set of models: the V2 repository calls, commands on single versions, their
 * asynchronous form, and what happened. On the admin listener only: the inference listener knows none of these paths.
 */
import { z } from 'zod';
import { SluiceError } from '../../core/errors.js';
import type { Reply } from '../../core/exchange.js';
import type { VersionOutcome } from '../../models/managed-model.js';
import type { OperationSubject, Operations } from '../../models/operations.js';
import type { LoadOverride } from '../../models/override.js';
import type { ModelStore } from '../../models/store.js';
import { jsonReply } from '../../serving/replies.js';
import { adminRoute, type AdminRoute } from './route.js';

/** A load may carry a model in base64. */
const LOAD_BODY_BYTES = 64 * 1024 * 1024;

const asyncQuery = z.object({
  async: z
    .enum(['true', 'false'], 'expected true or false')
    .optional()
    .describe('true: answer at once, with an operation to ask for'),
});
const indexBody = z.object({ ready: z.boolean('expected true or false').optional() });
const loadBody = z.object({
  parameters: z.record(z.string(), z.string('expected a string')).optional(),
});
const unloadBody = z.object({
  parameters: z
    .strictObject({ unload_dependents: z.boolean('expected true or false').optional() })
    .optional(),
});
const pinBody = z.strictObject({ version: z.string('expected a version as a string').regex(/^\d{1,18}$/) });
const eventsQuery = z.object({
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'expected a sequence number')
    .optional(),
});

export interface RepositorySources {
  readonly models: ModelStore;
  readonly operations: Operations;
}

function readParameters(parameters: Readonly<Record<string, string>>): LoadOverride {
  const files = new Map<string, Uint8Array>();
  let configText: string | undefined;
  for (const [name, text] of Object.entries(parameters)) {
    if (name === 'config') configText = text;
    else if (name.startsWith('file:')) files.set(name.slice('file:'.length), fromBase64(name, text));
    else
      throw new SluiceError(
        'BAD_REQUEST',
        `unknown parameter "${name}": expected "config" or "file:<version>/<name>"`,
      );
  }
  return {
    ...(configText === undefined ? {} : { configText }),
    ...(files.size === 0 ? {} : { files }),
  };
}

function fromBase64(name: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64; a file that lost bytes on the way must not be loaded.
  const wanted = Math.floor((text.replace(/=+$/, '').length * 3) / 4);
  if (bytes.byteLength !== wanted)
    throw new SluiceError('BAD_REQUEST', `parameter "${name}": expected base64`);
  return bytes;
}

/** A load of a model is done when all of its versions are; otherwise the reasons are the error, as V2 has it. */
function checked(modelName: string, outcomes: readonly VersionOutcome[]): readonly VersionOutcome[] {
  const bad = outcomes.filter(({ result }) => result === 'rejected' || result === 'edited');
  if (bad.length === 0) return outcomes;
  const reasons = bad.map(({ version, reason }) => `version ${version}: ${reason}`).join('; ');
  const code = bad.some(({ result }) => result === 'rejected') ? 'MODEL_INVALID' : 'CONFLICT';
  throw new SluiceError(code, `failed to load '${modelName}', ${reasons}`);
}

export function repositoryRoutes({ models, operations }: RepositorySources): AdminRoute[] {
  /** Answers when the command has ended, or at once with its operation. */
  const answer = async (
    subject: OperationSubject,
    query: { readonly async?: string | undefined },
    command: () => Promise<unknown>,
  ): Promise<Reply> => {
    if (query.async === 'true') {
      const operation = operations.start(subject, command);
      const location: readonly [string, string] = ['location', `/operations/${operation.id}`];
      return { ...jsonReply(operation), status: 202, headers: [location] };
    }
    return jsonReply((await command()) ?? {});
  };
  const load = async (model: string, parameters: Readonly<Record<string, string>>) => {
    const override = readParameters(parameters);
    return { versions: checked(model, await models.loadModel(model, override)) };
  };
  const loadVersion = async (model: string, version: string) => {
    const outcome = await models.loadVersion(model, version);
    checked(model, [outcome]);
    return outcome;
  };

  return [
    adminRoute({
      method: 'POST',
      path: '/v2/repository/index',
      summary: 'Every model of the repository with its versions and states (V2)',
      mayLackContentType: true,
      mayLackBody: true,
      body: indexBody,
      run: async ({ body }) => jsonReply(await models.index(body.ready === true)),
    }),
    adminRoute({
      method: 'POST',
      path: '/v2/repository/models/{model}/load',
      summary: 'Load a model, or what changed of it; config and file content may come along (V2)',
      mayLackContentType: true,
      mayLackBody: true,
      bodyLimitBytes: LOAD_BODY_BYTES,
      body: loadBody,
      query: asyncQuery,
      run: ({ params: { model = '' }, body, query }) =>
        answer({ kind: 'load', model, version: undefined }, query, () => load(model, body.parameters ?? {})),
    }),
    adminRoute({
      method: 'POST',
      path: '/v2/repository/models/{model}/unload',
      summary: 'Let a model go; accepted requests are answered (V2)',
      mayLackContentType: true,
      mayLackBody: true,
      body: unloadBody,
      query: asyncQuery,
      run: ({ params: { model = '' }, query }) =>
        answer({ kind: 'unload', model, version: undefined }, query, () => models.unloadModel(model)),
    }),
    adminRoute({
      method: 'POST',
      path: '/models/{model}/versions/{version}/load',
      summary: 'Load one version beside those that serve',
      mayLackBody: true,
      mayLackContentType: true,
      body: z.object({}),
      query: asyncQuery,
      run: ({ params: { model = '', version = '' }, query }) =>
        answer({ kind: 'load', model, version }, query, () => loadVersion(model, version)),
    }),
    adminRoute({
      method: 'POST',
      path: '/models/{model}/versions/{version}/unload',
      summary: 'Let one version go; accepted requests are answered',
      mayLackBody: true,
      mayLackContentType: true,
      body: z.object({}),
      query: asyncQuery,
      run: ({ params: { model = '', version = '' }, query }) =>
        answer({ kind: 'unload', model, version }, query, () => models.unloadVersion(model, version)),
    }),
    adminRoute({
      method: 'PUT',
      path: '/models/{model}/pin',
      summary: 'Send requests that name no version to this one, loading it first where needed',
      body: pinBody,
      query: asyncQuery,
      run: ({ params: { model = '' }, body: { version }, query }) =>
        answer({ kind: 'pin', model, version }, query, () => models.pinVersion(model, version)),
    }),
    adminRoute({
      method: 'DELETE',
      path: '/models/{model}/pin',
      summary: 'Send requests that name no version to the highest again',
      mayLackBody: true,
      mayLackContentType: true,
      body: z.object({}),
      run: async ({ params: { model = '' } }) => {
        await models.pinVersion(model, undefined);
        return jsonReply({});
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/operations',
      summary: 'The newest asynchronous commands',
      run: () => jsonReply({ operations: operations.all() }),
    }),
    adminRoute({
      method: 'GET',
      path: '/operations/{id}',
      summary: 'How far an asynchronous command is',
      run: ({ params: { id = '' } }) => {
        const operation = operations.find(id);
        if (operation === undefined) throw new SluiceError('NOT_FOUND', `there is no operation ${id}`);
        return jsonReply(operation);
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/events',
      summary: 'Changes of state of model versions, newer than a sequence number',
      query: eventsQuery,
      run: ({ query: { after } }) => jsonReply({ events: models.board.eventsAfter(Number(after ?? 0)) }),
    }),
  ];
}
