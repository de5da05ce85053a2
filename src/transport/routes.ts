/**
 * The one router of the inference listener, the same over both transports. A hot infer request costs one look-up of its
 * raw path; everything else is parsed anew. Unknown paths answer 404, known paths with another method 405.
 */
import type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../core/exchange.js';
import { InferRoute, type Infer } from '../serving/infer.js';
import type { Metadata } from '../serving/metadata.js';
import type { Statistics } from '../serving/statistics.js';
import { errorReply, RefusalSink } from '../serving/replies.js';
import type { Need } from './guard.js';
import { parsePath, type ReadPath } from './paths.js';

/** Raw paths that are remembered; one model may be spelt in many ways. */
const MAX_KNOWN_PATHS = 4096;

/** POST bodies are read before the answer; for other methods the body, if any, is the transport's to skip. */
export function replyAfterBody(head: RequestHead, responder: Responder, reply: Reply): BodySink | null {
  if (head.method === 'POST') return new RefusalSink(responder, reply);
  responder.send(reply);
  return null;
}

export function notFound(): Reply {
  return errorReply('ROUTE_NOT_FOUND', 'Not Found');
}

export function methodNotAllowed(allow: string): Reply {
  return errorReply('METHOD_NOT_ALLOWED', 'Method Not Allowed', [['allow', allow]]);
}

export class Routes {
  private readonly inferRoutes = new Map<string, InferRoute>();

  constructor(
    private readonly infer: Infer,
    private readonly metadata: Metadata,
    private readonly statistics: Statistics,
  ) {}

  readonly handle: RequestHandler = (head, responder) => {
    const { method, path } = head;
    if (method === 'POST') {
      const known = this.inferRoutes.get(path);
      if (known !== undefined) return this.infer.begin(known, head, responder);
    }
    const route = parsePath(path);
    if (route === undefined) return replyAfterBody(head, responder, notFound());
    if (route.kind === 'infer') {
      if (method !== 'POST') return replyAfterBody(head, responder, methodNotAllowed('POST'));
      const inferRoute = new InferRoute(route.modelName, route.version);
      this.remember(head, inferRoute);
      return this.infer.begin(inferRoute, head, responder);
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return replyAfterBody(head, responder, methodNotAllowed('GET, HEAD'));
    }
    responder.send(this.read(route));
    return null;
  };

  /** What a key must be good for: health is open, and a path that nobody knows is no exception. */
  readonly needOf = ({ path }: RequestHead): Need | undefined => {
    const known = this.inferRoutes.get(path);
    if (known !== undefined) return known;
    const route = parsePath(path);
    if (route?.kind === 'live' || route?.kind === 'ready') return undefined;
    const modelName = route !== undefined && 'modelName' in route ? route.modelName : '';
    return { scope: 'infer', modelName };
  };

  private read(route: ReadPath): Reply {
    switch (route.kind) {
      case 'server':
        return this.metadata.server();
      case 'live':
        return this.metadata.live();
      case 'ready':
        return this.metadata.ready();
      case 'ws':
        return errorReply('UPGRADE_REQUIRED', 'Expected a WebSocket upgrade', [['upgrade', 'websocket']]);
      case 'models':
        return this.metadata.modelNames();
      case 'model-ready':
        return this.metadata.modelReady(route.modelName, route.version);
      case 'model-config':
        return this.metadata.modelConfig(route.modelName, route.version);
      case 'stats':
        return this.statistics.all();
      case 'model-stats':
        return this.statistics.model(route.modelName, route.version);
      case 'model':
        return this.metadata.model(route.modelName, route.version);
    }
  }

  private remember(head: RequestHead, inferRoute: InferRoute): void {
    if (!this.infer.isKnown(inferRoute)) return;
    if (this.inferRoutes.size >= MAX_KNOWN_PATHS) this.inferRoutes.clear();
    this.inferRoutes.set(head.path, inferRoute);
    head.remember?.();
  }
}
