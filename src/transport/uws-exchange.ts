/**
 * One request over uWebSockets.js, and how its reply is written. The rules of the library, each of which ends the process or
 * throws when broken: what has no answer yet when its handler returns has an abort handler; `res` is never touched after an
 * abort or an end; writes are corked; chunks die on return. The library owns sockets and chunks, an exchange lives as long as
 * one request.
 */
import { STATUS_CODES } from 'node:http';
import type { HttpResponse } from 'uWebSockets.js';
import type { BodySink, Reply, Responder } from '../core/exchange.js';
import { BINARY_TYPE } from '../serving/replies.js';
import { bodyBytes } from './transport.js';
import { LONG_REPLY_BYTES, LongReply, piecesOf, type Unsent } from './uws-long-reply.js';
import { bytesOf, uwsText, type UwsText } from './uws-text.js';

/** Longer JSON parts of replies are rare, and costly enough for a string of their own. */
const MAX_KNOWN_HEAD_LENGTH = 1024;

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([status, text]) => [Number(status), bytesOf(`${status} ${text}`)]),
);

export class UwsExchange implements Responder {
  isClosed = false;
  /** Inside the library's own handler, which corks what is written there. */
  isCorked = true;
  sink: BodySink | null = null;
  /** Of a long reply that was sent. */
  rest: LongReply | undefined = undefined;

  constructor(
    readonly response: HttpResponse,
    readonly isHeadRequest: boolean,
    readonly unsent: Unsent,
  ) {}

  send(reply: Reply): void {
    if (this.isClosed) return;
    this.isClosed = true;
    corkedExchange = this;
    corkedReply = reply;
    if (this.isCorked) writeCorked();
    else this.response.cork(writeCorked);
  }

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    if (!this.isClosed && this.sink !== null) this.sink.chunk(chunk, isLast);
  }

  watchAbort(): void {
    this.response.onAborted(() => {
      this.abort();
    });
  }

  abort(): void {
    this.rest?.gone();
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.sink !== null) this.sink.aborted();
  }
}

// `cork` calls back at once, so one function with two variables does what a closure per reply would.
let corkedExchange: UwsExchange;
let corkedReply: Reply;

const CONTENT_TYPE = bytesOf('content-type');
const BINARY_TYPES: ArrayBuffer[] = [];

/**
 * The value of content-type with the lines of the other headers after it: each call into the library costs a fiftieth of a small
 * request. The few lengths that a model's replies have come again and again, and so do the headers of refusals under overload.
 */
function typeOf({ contentType, headLength, headers }: Reply): UwsText {
  if (headers !== undefined) return typeWithHeaders(contentType, headLength, headers);
  if (headLength === 0) return uwsText(contentType);
  const known = contentType === BINARY_TYPE ? BINARY_TYPES[headLength] : undefined;
  if (known !== undefined) return known;
  const text = contentType + lengthLine(headLength);
  if (contentType !== BINARY_TYPE || headLength >= MAX_KNOWN_HEAD_LENGTH) return text;
  return (BINARY_TYPES[headLength] = bytesOf(text));
}

function lengthLine(headLength: number): string {
  return headLength === 0 ? '' : `\r\ninference-header-content-length: ${headLength}`;
}

type ReplyHeaders = NonNullable<Reply['headers']>;
let latest = { contentType: '', headLength: 0, headers: [] as ReplyHeaders, bytes: bytesOf('') };

function typeWithHeaders(contentType: string, headLength: number, headers: ReplyHeaders): UwsText {
  const isLatest =
    latest.headers === headers && latest.headLength === headLength && latest.contentType === contentType;
  if (!isLatest) {
    const lines = headers.map(([name, value]) => `\r\n${name}: ${value}`);
    const bytes = bytesOf(contentType + lengthLine(headLength) + lines.join(''));
    latest = { contentType, headLength, headers, bytes };
  }
  return latest.bytes;
}

function writeCorked(): void {
  const { response, isHeadRequest } = corkedExchange;
  const { status, body, release, more, closesConnection } = corkedReply;
  if (status !== 200) response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  response.writeHeader(CONTENT_TYPE, typeOf(corkedReply));
  if (isHeadRequest) {
    // Given a length of its own, the library would wait for that many bytes and never end the reply.
    response.writeHeader('content-length', String(bodyBytes(corkedReply)));
    response.endWithoutBody();
  } else if (more !== undefined && more.length > 0) {
    if (corkedExchange.isCorked) corkedExchange.watchAbort();
    const pieces = [Buffer.from(body as string), ...more];
    corkedExchange.rest = LongReply.ofPieces(response, pieces, bodyBytes(corkedReply), corkedExchange.unsent);
  } else if (closesConnection === true) {
    response.end(body, true);
  } else if (body.length >= LONG_REPLY_BYTES && typeof body !== 'string') {
    if (corkedExchange.isCorked) corkedExchange.watchAbort();
    const { unsent } = corkedExchange;
    corkedExchange.rest =
      release === undefined
        ? LongReply.ofBody(response, body, unsent)
        : LongReply.ofPieces(response, piecesOf(body), body.byteLength, unsent, release);
  } else {
    response.end(body);
  }
}
