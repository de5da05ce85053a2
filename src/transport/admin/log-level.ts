/** The rows of the admin table about the log: how much it tells, while the server runs. */
import { z } from 'zod';
import { jsonReply } from '../../serving/replies.js';
import { adminRoute, type AdminRoute } from './route.js';

export interface LevelLog {
  level: string;
  warn(fields: object, message: string): void;
}

export function logLevelRoutes(log: LevelLog, levels: readonly [string, ...string[]]): AdminRoute[] {
  return [
    adminRoute({
      method: 'GET',
      path: '/log-level',
      summary: 'How much the log tells',
      run: () => jsonReply({ level: log.level }),
    }),
    adminRoute({
      method: 'PUT',
      path: '/log-level',
      summary: 'Lets the log tell more or less, until the server ends',
      body: z.strictObject({ level: z.enum(levels, `expected one of ${levels.join(', ')}`) }),
      run: ({ body, callerId }) => {
        const before = log.level;
        log.level = body.level;
        log.warn({ who: callerId, from: before, to: body.level }, 'the level of the log was changed');
        return jsonReply({ level: log.level });
      },
    }),
  ];
}
