/**
 * V2 paths to routes: splits the raw path, decodes each segment once, and says what it names and which method it takes.
 * Pure. A decoded segment never holds '/', '..' or control characters, so that no later reader has to think of them.
 */
interface ModelPath {
  readonly modelName: string;
  readonly version: string | undefined;
}

export type InferPath = { readonly kind: 'infer' } & ModelPath;

export type ReadPath =
  | { readonly kind: 'server' | 'live' | 'ready' | 'models' | 'stats' | 'ws' }
  | ({ readonly kind: 'model' | 'model-ready' | 'model-config' | 'model-stats' } & ModelPath);

export type PathRoute = InferPath | ReadPath;

const FIXED: ReadonlyMap<string, PathRoute> = new Map<string, PathRoute>([
  ['/v2', { kind: 'server' }],
  ['/v2/', { kind: 'server' }],
  ['/v2/health/live', { kind: 'live' }],
  ['/v2/health/ready', { kind: 'ready' }],
  ['/v2/models', { kind: 'models' }],
  // As in Triton, this hides the metadata of a model called stats.
  ['/v2/models/stats', { kind: 'stats' }],
  ['/v2/ws', { kind: 'ws' }],
]);

const MODELS_PREFIX = '/v2/models/';

const KIND_BY_VERB: ReadonlyMap<string, 'model-ready' | 'model-config' | 'model-stats' | 'infer'> = new Map([
  ['config', 'model-config'],
  ['ready', 'model-ready'],
  ['stats', 'model-stats'],
  ['infer', 'infer'],
]);

function isUnfit(letter: string): boolean {
  return letter === '/' || letter === '\\' || letter < ' ' || letter === '\u007f';
}

/** One decoded segment, or undefined where it is not fit for a name. */
export function decodeSegment(segment: string): string | undefined {
  let text = segment;
  if (segment.includes('%')) {
    try {
      text = decodeURIComponent(segment);
    } catch {
      return undefined;
    }
  }
  if (text === '' || text === '.' || text === '..' || [...text].some(isUnfit)) return undefined;
  return text;
}

/** Versions are compared as numbers: `01` is `1`. */
function versionOf(segment: string): string | undefined {
  const text = decodeSegment(segment);
  if (text === undefined) return undefined;
  return /^[0-9]+$/.test(text) ? text.replace(/^0+(?=[0-9])/, '') : text;
}

/** undefined: no such path. */
export function parsePath(path: string): PathRoute | undefined {
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed;
  if (!path.startsWith(MODELS_PREFIX)) return undefined;

  const segments = path.slice(MODELS_PREFIX.length).split('/');
  const modelName = decodeSegment(segments[0] ?? '');
  if (modelName === undefined) return undefined;
  let next = 1;
  let version: string | undefined;
  if (segments[1] === 'versions') {
    version = versionOf(segments[2] ?? '');
    if (version === undefined) return undefined;
    next = 3;
  }
  if (segments.length === next) return { kind: 'model', modelName, version };
  const kind = KIND_BY_VERB.get(segments[next] ?? '');
  if (kind === undefined || segments.length !== next + 1) return undefined;
  return kind === 'infer' ? { kind, modelName, version } : { kind, modelName, version };
}

/** Every kind of path there is, for checks that must not forget one. */
export function knownPaths(modelName: string): string[] {
  const ofModel = ['', `/versions/1`].flatMap((version) =>
    ['', ...KIND_BY_VERB.keys()].map(
      (verb) => `${MODELS_PREFIX}${modelName}${version}${verb === '' ? '' : `/${verb}`}`,
    ),
  );
  return [...FIXED.keys(), ...ofModel];
}
