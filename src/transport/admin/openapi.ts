/**
 * The OpenAPI 3.1 document of the admin listener, made from the table itself: the validators that refuse a request are
 * the schemas that describe it, so the two cannot differ. Pure.
 */
import { z } from 'zod';
import type { AdminRoute } from './route.js';

export interface DocumentFacts {
  readonly version: string;
}

type Schema = Record<string, unknown>;

const ERROR_REPLY = {
  description: 'What was expected, for what, and what came',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _dialect, ...plain } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return plain;
}

/** `GET /models/{model}/rollout` -> `getModelsModelRollout`. */
function operationId(route: AdminRoute): string {
  const words = route.path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return `${route.method.toLowerCase()}${words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')}`;
}

function parameters(route: AdminRoute): Schema[] {
  const inPath = [...route.path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  if (route.query === undefined) return inPath;
  const query = schemaOf(route.query, 'input') as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  const inQuery = Object.entries(query.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query.required?.includes(name) ?? false,
    schema,
  }));
  return [...inPath, ...inQuery];
}

function operation(route: AdminRoute): Schema {
  const replySchema = route.reply === undefined ? {} : { schema: schemaOf(route.reply, 'output') };
  return {
    operationId: operationId(route),
    summary: route.summary,
    parameters: parameters(route),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: !route.mayLackBody,
            content: { 'application/json': { schema: schemaOf(route.body, 'input') } },
          },
        }),
    responses: {
      '200': { description: 'Done', content: { [route.replyType]: replySchema } },
      '4XX': ERROR_REPLY,
      '5XX': ERROR_REPLY,
    },
    security: route.scope === 'open' ? [] : [{ bearer: [] }, { apiKey: [] }],
    'x-sluice-scope': route.scope,
  };
}

export function openApiDocument(routes: readonly AdminRoute[], facts: DocumentFacts): object {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice admin',
      version: facts.version,
      description: 'What the admin listener offers. Keys are asked for only where the server has a key file.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: {
        Error: {
          type: 'object',
          properties: { error: { type: 'string' } },
          required: ['error'],
          additionalProperties: false,
        },
      },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}
