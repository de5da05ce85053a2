/** The rows of the admin table about shadows: rules, reports, and the mismatches to download. */
import { z } from 'zod';
import { SluiceError } from '../../core/errors.js';
import type { Reply } from '../../core/exchange.js';
import type { Snapshot } from '../../core/snapshot.js';
import type { Rollouts } from '../../routing/rollouts.js';
import { BINARY_TYPE, jsonReply } from '../../serving/replies.js';
import { mismatchRow, shadowReport } from '../../shadow/report.js';
import { shadowPart } from '../../shadow/rules.js';
import type { Shadows } from '../../shadow/shadows.js';
import { adminRoute, type AdminRoute } from './route.js';

export interface ShadowSources {
  readonly shadows: Shadows;
  readonly models: { readonly snapshot: Snapshot };
  readonly rollouts: Rollouts;
}

const part = z.object({
  part: z.enum(['request', 'primary', 'shadow'], 'expected request, primary or shadow').default('request'),
});

export function shadowRoutes({ shadows, models, rollouts }: ShadowSources): AdminRoute[] {
  const reports = (modelName?: string): Reply =>
    jsonReply({ shadows: shadows.list(modelName).map((one) => shadowReport(one, shadows.factsOf(one))) });
  const known = (modelName: string): string => {
    if (models.snapshot.models.has(modelName)) return modelName;
    throw new SluiceError('MODEL_NOT_FOUND', `Expected the name of a model, "${modelName}" is not found`);
  };
  return [
    adminRoute({
      method: 'GET',
      path: '/shadow',
      summary: 'What every shadow has found out',
      run: () => reports(),
    }),
    adminRoute({
      method: 'GET',
      path: '/shadow/{model}',
      summary: 'What the shadows of a model have found out',
      run: ({ params }) => reports(known(params['model'] ?? '')),
    }),
    adminRoute({
      method: 'PUT',
      path: '/shadow/{model}',
      summary: 'Replaces the shadows of a model; an empty list ends them',
      body: z.strictObject({ shadow: shadowPart }),
      run: async ({ params, body, headers, callerId }) => {
        const modelName = known(params['model'] ?? '');
        const told = `shadows: ${body.shadow.map(({ version, percent }) => `${version} ${percent} %`).join(', ') || 'none'}`;
        await rollouts.change(modelName, {
          who: callerId,
          ifMatch: headers['if-match'],
          edit: ({ shadow: _before, ...rollout }) => ({
            rollout: body.shadow.length === 0 ? rollout : { ...rollout, shadow: body.shadow },
            told,
          }),
        });
        return reports(modelName);
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/shadow/{model}/mismatches',
      summary: 'The worst mismatches, the worst first',
      run: async ({ params }) => {
        const list = shadows.list(known(params['model'] ?? ''));
        const kept = await Promise.all(
          list.map(async (one) =>
            (await shadows.mismatchesOf(one)).map((mismatch) => mismatchRow(one, mismatch)),
          ),
        );
        return jsonReply({ mismatches: kept.flat() });
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/shadow/{model}/mismatches/{id}',
      summary: 'A mismatch as a V2 body with binary tensors: its request, or one of the two answers',
      query: part,
      replyType: BINARY_TYPE,
      run: async ({ params, query }) => {
        const { model = '', id = '' } = params;
        for (const one of shadows.list(known(model))) {
          if (!id.startsWith(`${one.number}-`)) continue;
          const kept = (await shadows.mismatchesOf(one)).find(
            ({ number }) => id === `${one.number}-${number}`,
          );
          const body = kept?.[query.part];
          if (kept !== undefined && body === undefined)
            throw new SluiceError(
              'ROUTE_NOT_FOUND',
              `Mismatch ${id} was too large to keep, only its figures are here`,
            );
          if (body === undefined) break;
          return {
            status: 200,
            contentType: BINARY_TYPE,
            headLength: body.headLength,
            body: new Uint8Array(body.bytes),
          };
        }
        throw new SluiceError(
          'ROUTE_NOT_FOUND',
          `Expected the id of a mismatch that is kept, "${id}" is not found: a worse one may have taken its place`,
        );
      },
    }),
  ];
}
