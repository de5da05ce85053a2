/**
 * The one door that every request of both listeners passes before any route sees it. What it asks for comes from the
 * listener's own routes; a path that no route knows needs the listener's scope like any other, so nothing is let in by
 * being forgotten. Where no key is needed, the door of the inference listener is not there at all.
 */
import { UNKNOWN_KEY, type Access, type Caller, type Denial, type Headers } from '../access/access.js';
import type { HostList } from '../access/hosts.js';
import type { Scope } from '../access/key-file.js';
import type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../core/exchange.js';
import { errorReply, RefusalSink } from '../serving/replies.js';

export interface Need {
  readonly scope: Scope;
  /** '' where the path names no model. */
  readonly modelName: string;
}

/** undefined: open to everybody. */
export type NeedOf = (head: RequestHead) => Need | undefined;

const CHALLENGE = [['www-authenticate', 'Bearer realm="sluice"']] as const;

function denialReply({ code, message }: Denial): Reply {
  return errorReply(code, message, code === 'UNAUTHORIZED' ? CHALLENGE : []);
}

/** A body that is on its way is read before the answer. */
export function refuse(head: RequestHead, responder: Responder, reply: Reply): BodySink | null {
  if (head.method !== 'GET' && head.method !== 'HEAD') return new RefusalSink(responder, reply);
  responder.send(reply);
  return null;
}

export function guarded(access: Access, needOf: NeedOf, handler: RequestHandler): RequestHandler {
  if (access.isOpen) return handler;
  return (head, responder) => {
    const need = needOf(head);
    if (need === undefined) return handler(head, responder);
    const denial = access.denial(head, need.scope, need.modelName);
    return denial === undefined ? handler(head, responder) : refuse(head, responder, denialReply(denial));
  };
}

/** For a listener that can change things: a page of a browser that reaches it under a name that is not ours is refused. */
export function guardedHost(hosts: HostList, needOf: NeedOf, handler: RequestHandler): RequestHandler {
  return (head, responder) => {
    const host = head.header('host');
    if (hosts.allows(host) || needOf(head) === undefined) return handler(head, responder);
    const message = `Expected a Host header with an address or an allowed name, got ${JSON.stringify(host.slice(0, 64))}`;
    return refuse(head, responder, errorReply('FORBIDDEN', message));
  };
}

/**
 * For a WebSocket upgrade: who asks, or the answer to give instead. The frames that follow ask
 * `caller.may('infer', modelName)` for each model that they name; a caller that `isRevoked` is sent away.
 */
export function admitUpgrade(access: Access, head: Headers): { caller: Caller } | { refusal: Reply } {
  const caller = access.callerOf(head);
  return caller === undefined ? { refusal: denialReply(UNKNOWN_KEY) } : { caller };
}
