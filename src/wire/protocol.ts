/**
 * The numbers of the WebSocket protocol that are not in the schema; docs/ws-protocol.md says what they mean. Shared by the
 * server and the client; imports nothing.
 */
export const WS_PATH = '/v2/ws';

/** `Hello.protocol`. Raised only by a change that an old peer would misread. */
export const PROTOCOL_NUMBER = 1;

/** Close codes that this protocol gives a meaning. */
export const CLOSE_CODES = {
  /** A goodbye came first, or the other side left. */
  GOING_AWAY: 1001,
  TEXT_MESSAGE: 1003,
  BAD_FRAME: 1007,
  /** A frame that only the server may send, a message that does not become whole, or a breach of another rule. */
  NOT_ALLOWED: 1008,
  TOO_LARGE: 1009,
  SERVER_FAULT: 1011,
  /** The client read too slowly for what it asked. */
  SLOW_READER: 1013,
} as const;

/** The text of a close with GOING_AWAY after which a request without an answer is one that was never read. */
export const ALL_ANSWERED = 'all is answered';

export type CloseReason = keyof typeof CLOSE_CODES;
