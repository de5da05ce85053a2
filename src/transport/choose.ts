/**
 * Chooses the transport: uWebSockets.js where its binary loads, else node:http with one log line that says why.
 */
import { loadUws, UwsTransport } from './uws-transport.js';
import { NodeTransport } from './node-transport.js';
import type { Transport } from './transport.js';

export type TransportChoice = 'auto' | 'uws' | 'node';

export interface TransportLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** `load` is a parameter so that a test can have a machine without the binary. */
export async function chooseTransport(
  choice: TransportChoice,
  log: TransportLog,
  load: typeof loadUws = loadUws,
): Promise<Transport> {
  const reportFault = (error: unknown): void => {
    log.error({ err: error }, 'A request failed inside the server');
  };
  if (choice === 'node') return new NodeTransport(reportFault);
  try {
    return new UwsTransport(await load(), reportFault);
  } catch (error) {
    const reason = firstLine(error);
    if (choice === 'uws') {
      throw new Error(`Expected uWebSockets.js to load, as the settings ask for it: ${reason}`, {
        cause: error,
      });
    }
    log.warn(
      {},
      `Serving over node:http, because uWebSockets.js does not load on Node ${process.version}: ${reason}`,
    );
    return new NodeTransport(reportFault);
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}
