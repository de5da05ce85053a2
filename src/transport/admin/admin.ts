/** Joins the rows of all parts to one table, adds the document that describes it, and makes the listener of it. */
import type { RequestHandler } from '../../core/exchange.js';
import { jsonReply } from '../../serving/replies.js';
import { adminListener } from './listener.js';
import { openApiDocument, type DocumentFacts } from './openapi.js';
import { adminRoute, type AdminRoute } from './route.js';
import { AdminTable } from './table.js';

export interface Admin {
  readonly table: AdminTable;
  readonly handle: RequestHandler;
}

export function makeAdmin(
  rows: readonly AdminRoute[],
  facts: DocumentFacts,
  reportFault: (error: unknown) => void,
): Admin {
  const document: AdminRoute = adminRoute({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    run: () => jsonReply(openApiDocument(table.routes, facts)),
  });
  const table = new AdminTable([...rows, document]);
  return { table, handle: adminListener({ table, reportFault }) };
}
