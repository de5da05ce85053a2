/**
 * The two ends of a request without a socket: a head made of a plain object, and a responder that keeps a copy of what
 * was sent and complains when anything is sent twice.
 */
import type { Reply, RequestHead, Responder } from '../../src/core/exchange.js';

export interface SentReply {
  readonly status: number;
  readonly contentType: string;
  readonly headLength: number;
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly closesConnection: boolean;
}

export class PuppetResponder implements Responder {
  isClosed = false;
  sent: SentReply | undefined;
  sends = 0;

  send(reply: Reply): void {
    this.sends += 1;
    if (this.isClosed) return;
    this.isClosed = true;
    this.sent = {
      status: reply.status,
      contentType: reply.contentType,
      headLength: reply.headLength,
      body: typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString('latin1'),
      headers: Object.fromEntries(reply.headers ?? []),
      closesConnection: reply.closesConnection === true,
    };
  }

  /** What a transport does when the client goes away. */
  close(): void {
    this.isClosed = true;
  }
}

export function puppetHead(headers: Record<string, string> = {}, method = 'POST', path = '/'): RequestHead {
  return { method, path, header: (name) => headers[name] ?? '', query: () => '' };
}

export function bytesOf(text: string): ArrayBuffer {
  return new TextEncoder().encode(text).buffer as ArrayBuffer;
}
