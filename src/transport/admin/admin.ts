/** Joins the rows of all parts to one table, adds the document that describes it, and makes the listener of it. */
import type { Access } from '../../access/access.js';
import type { HostList } from '../../access/hosts.js';
import type { RequestHandler } from '../../core/exchange.js';
import { jsonReply } from '../../serving/replies.js';
import { guarded, guardedHost, type Need, type NeedOf } from '../guard.js';
import { adminListener } from './listener.js';
import { openApiDocument, type DocumentFacts } from './openapi.js';
import { adminRoute, type AdminRoute } from './route.js';
import { AdminTable } from './table.js';

export interface Admin {
  readonly handle: RequestHandler;
  readonly needOf: NeedOf;
}

export interface AdminOptions {
  readonly rows: readonly AdminRoute[];
  readonly facts: DocumentFacts;
  readonly access: Access;
  /** Names beside `localhost` that the listener may be reached by. */
  readonly hosts: HostList;
  readonly reportFault: (error: unknown) => void;
}

export function makeAdmin({ rows, facts, access, hosts, reportFault }: AdminOptions): Admin {
  const document: AdminRoute = adminRoute({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    run: () => jsonReply(openApiDocument(table.routes, facts)),
  });
  const table = new AdminTable([...rows, document]);
  const needOf: NeedOf = (head) => needOfPath(table, head.method, head.path);
  const handle = guarded(access, needOf, adminListener({ table, access, reportFault }));
  return { needOf, handle: guardedHost(hosts, needOf, handle) };
}

/** A path or method that the table does not have needs the scope of the listener. */
function needOfPath(table: AdminTable, method: string, path: string): Need | undefined {
  const found = table.find(path);
  const route = found?.byMethod.get(method === 'HEAD' ? 'GET' : method);
  if (route?.scope === 'open') return undefined;
  return { scope: route?.scope ?? 'admin', modelName: found?.params['model'] ?? '' };
}
