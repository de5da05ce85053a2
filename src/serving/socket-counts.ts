/**
 * What the sockets have done, as plain numbers that a scrape reads. Lives on the loop.
 */
import { CLOSE_CODES, type CloseReason } from '../wire/protocol.js';

/** CLIENT_LEFT: the client closed as it should. LOST: the connection ended without a goodbye. */
export type SocketEnd = CloseReason | 'CLIENT_LEFT' | 'LOST';

export const SOCKET_ENDS = [...(Object.keys(CLOSE_CODES) as CloseReason[]), 'CLIENT_LEFT', 'LOST'] as const;

export class SocketCounts {
  open = 0;
  opened = 0;
  refused = 0;
  messages = 0;
  answers = 0;
  readonly ends: Record<SocketEnd, number> = Object.fromEntries(SOCKET_ENDS.map((end) => [end, 0])) as Record<
    SocketEnd,
    number
  >;
}
