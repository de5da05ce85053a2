/** The rows of the admin table about plans: how far one is and why, its log, and the word of a human. */
import { z } from 'zod';
import type { Canary } from '../../canary/canary.js';
import { jsonReply } from '../../serving/replies.js';
import { adminRoute, type AdminRoute } from './route.js';

export interface CanarySource {
  /** Throws where the model has no plan. */
  mustHave(modelName: string): Canary;
}

const noFields = z.strictObject({});

const VERBS = {
  hold: 'Holds the plan where it is',
  resume: 'Lets a held plan go on; its step begins anew',
  promote: 'Ends the plan: the candidate takes over',
  rollback: 'Ends the plan: the baseline serves everything again',
} as const;

export function canaryRoutes(canaries: CanarySource): AdminRoute[] {
  const status = (canary: Canary) =>
    jsonReply({
      ...canary.status(),
      log: canary.log.map(({ timeMs, ...line }) => ({ time: new Date(timeMs).toISOString(), ...line })),
    });
  return [
    adminRoute({
      method: 'GET',
      path: '/models/{model}/plan',
      summary: 'How far the plan of a rollout is, why, and its log',
      run: ({ params }) => status(canaries.mustHave(params['model'] ?? '')),
    }),
    ...(Object.keys(VERBS) as Array<keyof typeof VERBS>).map((verb) =>
      adminRoute({
        method: 'POST',
        path: `/models/{model}/plan/${verb}`,
        summary: VERBS[verb],
        body: noFields,
        mayLackBody: true,
        run: async ({ params, callerId }) => {
          const canary = canaries.mustHave(params['model'] ?? '');
          await canary[verb](callerId);
          return status(canary);
        },
      }),
    ),
  ];
}
