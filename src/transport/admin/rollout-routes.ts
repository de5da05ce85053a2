/**
 * The rows of the admin table for routing: rollouts as a whole, aliases, the split, and the two moves that end a rollout.
 * Every answer to a change tells in one sentence what happened, and carries the new etag.
 */
import { z } from 'zod';
import { SluiceError } from '../../core/errors.js';
import type { Reply } from '../../core/exchange.js';
import type { Snapshot } from '../../core/snapshot.js';
import { promote, removeAlias, rollBack, setAlias, setSplit, type Move } from '../../routing/moves.js';
import { aliasBody, splitBody, type Rollout } from '../../routing/rollout.js';
import type { Rollouts, RolloutState } from '../../routing/rollouts.js';
import { jsonReply } from '../../serving/replies.js';
import { adminRoute, type AdminCall, type AdminRoute } from './route.js';

const noFields = z.strictObject({});

const stateReply = z.object({
  model: z.string(),
  rollout: z.record(z.string(), z.unknown()),
  etag: z.string().describe('for If-Match; empty where the model has no rollout'),
  problem: z.string().describe('why the file on disk is not in force; empty where it is'),
  told: z.string().optional().describe('what the change did'),
});

const historyQuery = z.object({
  last: z.coerce
    .number('expected a number')
    .int('expected a whole number')
    .min(1, 'expected at least 1')
    .max(1000, 'expected at most 1000')
    .default(20)
    .describe('how many of the newest changes'),
});

function stateBody(model: string, { rollout, etag, problem }: RolloutState, told?: string): Reply {
  const headers = etag === '' ? [] : ([['etag', etag]] as const);
  return jsonReply({ model, rollout, etag, problem, ...(told === undefined ? {} : { told }) }, 200, headers);
}

export function rolloutRoutes(
  rollouts: Rollouts,
  models: { readonly snapshot: Snapshot },
  bodySchema: z.ZodType<Rollout>,
): AdminRoute[] {
  const modelOf = (call: AdminCall): string => {
    const model = call.params['model'] ?? '';
    if (!models.snapshot.models.has(model))
      throw new SluiceError('MODEL_NOT_FOUND', `unknown model "${model}"`);
    return model;
  };
  const change = async (
    call: AdminCall,
    edit: (rollout: Rollout) => Move,
    mayReplaceBroken = false,
  ): Promise<Reply> => {
    const model = modelOf(call);
    const ifMatch = call.headers['if-match'];
    const { state, told } = await rollouts.change(model, {
      who: call.callerId,
      ifMatch,
      mayReplaceBroken,
      edit,
    });
    return stateBody(model, state, told);
  };
  const alias = (call: AdminCall): string => call.params['alias'] ?? '';
  return [
    adminRoute({
      method: 'GET',
      path: '/models/{model}/rollout',
      summary: 'The rollout that is in force, its etag, and what is wrong with the file if anything is',
      reply: stateReply,
      run: (call) => {
        const model = modelOf(call);
        return stateBody(model, rollouts.stateOf(model));
      },
    }),
    adminRoute({
      method: 'PUT',
      path: '/models/{model}/rollout',
      summary: 'Replaces the whole rollout',
      body: bodySchema,
      reply: stateReply,
      run: (call) => change(call, () => ({ rollout: call.body, told: 'the rollout was replaced' }), true),
    }),
    adminRoute({
      method: 'GET',
      path: '/models/{model}/rollout/history',
      summary: 'The newest changes: when, who, what, from, to',
      query: historyQuery,
      run: async (call) => {
        const model = modelOf(call);
        return jsonReply({ model, changes: await rollouts.history(model, call.query.last) });
      },
    }),
    adminRoute({
      method: 'PUT',
      path: '/models/{model}/aliases/{alias}',
      summary: 'Moves an alias onto a READY version; "previous" follows "stable" by itself',
      body: aliasBody,
      reply: stateReply,
      run: (call) => change(call, (rollout) => setAlias(rollout, alias(call), call.body.version)),
    }),
    adminRoute({
      method: 'DELETE',
      path: '/models/{model}/aliases/{alias}',
      summary: 'Takes an alias away',
      reply: stateReply,
      run: (call) => change(call, (rollout) => removeAlias(rollout, alias(call))),
    }),
    adminRoute({
      method: 'PUT',
      path: '/models/{model}/split',
      summary: 'Splits the traffic that names no version; the weights add up to 100',
      body: splitBody,
      reply: stateReply,
      run: (call) => change(call, (rollout) => setSplit(rollout, call.body.arms, call.body.salt)),
    }),
    adminRoute({
      method: 'DELETE',
      path: '/models/{model}/split',
      summary: 'Ends the split',
      reply: stateReply,
      run: (call) => change(call, (rollout) => setSplit(rollout, [])),
    }),
    adminRoute({
      method: 'POST',
      path: '/models/{model}/promote',
      summary: 'The canary becomes stable and serves everything',
      body: noFields,
      mayLackBody: true,
      reply: stateReply,
      run: (call) => change(call, promote),
    }),
    adminRoute({
      method: 'POST',
      path: '/models/{model}/rollback',
      summary: 'Ends a split, or else moves stable back to the version before',
      body: noFields,
      mayLackBody: true,
      reply: stateReply,
      run: (call) => change(call, rollBack, true),
    }),
  ];
}
