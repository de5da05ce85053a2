/**
 * The admin routes by path: finds the row of a request, and says which methods a path takes. Pure; asked rarely, so it
 * looks at one pattern after another.
 */
import { decodeSegment } from '../paths.js';
import type { AdminRoute } from './route.js';

interface Pattern {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, AdminRoute>;
}

export interface FoundPath {
  readonly params: Readonly<Record<string, string>>;
  readonly byMethod: ReadonlyMap<string, AdminRoute>;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

/** Parameters without their names, so that two spellings of one pattern are seen to be one. */
function bare(path: string): string {
  return path.replace(/\{[^}]*\}/g, '{}');
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, wanted] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!isParameter(wanted)) {
      if (wanted !== segment) return undefined;
      continue;
    }
    const text = decodeSegment(segment);
    if (text === undefined) return undefined;
    params[wanted.slice(1, -1)] = text;
  }
  return params;
}

export class AdminTable {
  private readonly patterns: Pattern[];

  constructor(readonly routes: readonly AdminRoute[]) {
    const byPath = new Map<string, Pattern>();
    for (const route of routes) {
      const key = bare(route.path);
      const pattern: Pattern = byPath.get(key) ?? { segments: route.path.split('/'), byMethod: new Map() };
      const other = pattern.byMethod.get(route.method);
      if (other !== undefined)
        throw new Error(`two admin routes for ${route.method} ${route.path} and ${other.path}`);
      if (pattern.segments.join('/') !== route.path)
        throw new Error(`two spellings of one admin path: ${pattern.segments.join('/')} and ${route.path}`);
      pattern.byMethod.set(route.method, route);
      byPath.set(key, pattern);
    }
    // A literal beats a parameter, whoever came first.
    const parameters = ({ segments }: Pattern): number => segments.filter(isParameter).length;
    this.patterns = [...byPath.values()].sort((left, right) => parameters(left) - parameters(right));
  }

  /** undefined: no such path, whatever the method. A slash at the end counts for nothing. */
  find(path: string): FoundPath | undefined {
    const segments = (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path).split('/');
    for (const { segments: pattern, byMethod } of this.patterns) {
      const params = matchSegments(pattern, segments);
      if (params !== undefined) return { params, byMethod };
    }
    return undefined;
  }
}

/** For the allow header: HEAD comes with GET. */
export function allowOf(found: FoundPath): string {
  return [...found.byMethod.keys()]
    .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    .join(', ');
}
