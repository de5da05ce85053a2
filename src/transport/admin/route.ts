/**
 * One row of the admin listener's table: what it answers to, who may ask, what it takes, what it does. Other folders make
 * rows with `adminRoute` and hand them to the server; matching, keys, limits, validation and errors are not their business.
 */
import type { z } from 'zod';
import type { Reply } from '../../core/exchange.js';

/** 'open' needs no key: health only. */
export type AdminScope = 'admin' | 'metrics' | 'open';
export type AdminMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Headers of a request that `run` may look at; everything else is gone by then. */
export const KEPT_HEADERS = ['accept', 'if-match', 'if-none-match'] as const;
export type KeptHeader = (typeof KEPT_HEADERS)[number];

/** One request, checked. */
export interface AdminCall<Body = unknown, Query = unknown> {
  /** By the names in the path's braces; decoded, never empty, without '/', '..' or control characters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** undefined where the route takes no body. */
  readonly body: Body;
  /** '' where absent. */
  readonly headers: Readonly<Record<KeptHeader, string>>;
  /** Id of the key that was shown; 'anonymous' where none is needed. */
  readonly callerId: string;
}

export interface AdminRoute {
  readonly method: AdminMethod;
  /** Literal segments and `{parameters}`, e.g. `/models/{model}/aliases/{alias}`. */
  readonly path: string;
  readonly scope: AdminScope;
  /** One line, for the OpenAPI document. */
  readonly summary: string;
  readonly bodyLimitBytes: number;
  readonly body: z.ZodType | undefined;
  /** True where an empty body stands for `{}`. */
  readonly mayLackBody: boolean;
  /** Values come as texts; unknown parameters are ignored without it. */
  readonly query: z.ZodType | undefined;
  /** For the OpenAPI document. */
  readonly reply: z.ZodType | undefined;
  readonly replyType: string;
  /** V2 clients send JSON without saying so; only requests that cannot come from a browser's page may. */
  readonly mayLackContentType: boolean;
  /** A SluiceError becomes its status with its message, anything else a 500 that only the log explains. */
  run(call: AdminCall): Reply | Promise<Reply>;
}

export interface AdminRouteOptions<BodySchema extends z.ZodType, QuerySchema extends z.ZodType> {
  readonly method: AdminMethod;
  readonly path: string;
  readonly scope?: AdminScope;
  readonly summary: string;
  readonly bodyLimitBytes?: number;
  readonly body?: BodySchema;
  readonly mayLackBody?: boolean;
  readonly query?: QuerySchema;
  readonly reply?: z.ZodType;
  readonly replyType?: string;
  readonly mayLackContentType?: boolean;
  run(call: AdminCall<z.output<BodySchema>, z.output<QuerySchema>>): Reply | Promise<Reply>;
}

const DEFAULT_BODY_BYTES = 64 * 1024;

/** Scope `admin` unless said otherwise. */
export function adminRoute<
  BodySchema extends z.ZodType = z.ZodUndefined,
  QuerySchema extends z.ZodType = z.ZodUndefined,
>(options: AdminRouteOptions<BodySchema, QuerySchema>): AdminRoute {
  return {
    method: options.method,
    path: options.path,
    scope: options.scope ?? 'admin',
    summary: options.summary,
    bodyLimitBytes: options.bodyLimitBytes ?? DEFAULT_BODY_BYTES,
    body: options.body,
    mayLackBody: options.mayLackBody ?? false,
    query: options.query,
    reply: options.reply,
    replyType: options.replyType ?? 'application/json',
    mayLackContentType: options.mayLackContentType ?? false,
    // The listener calls with what the two schemas gave.
    run: (call) => options.run(call as AdminCall<z.output<BodySchema>, z.output<QuerySchema>>),
  };
}
