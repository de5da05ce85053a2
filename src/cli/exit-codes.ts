/** How the command ended, for scripts; docs/cli.md explains each. An error that says nothing else is `unexpected`. */
import { SluiceError } from '../core/errors.js';

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  cannotServe: 3,
  gateFailed: 4,
} as const;

/** An end that is already decided: the message is printed, the code returned. */
export class CommandEnd extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
    this.name = 'CommandEnd';
  }
}

const LISTEN_ERRORS = new Set(['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND']);

/** uWebSockets.js gives no error code, only our own sentence. */
function isListenError(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return LISTEN_ERRORS.has(code) || error.message.startsWith('Expected to listen on');
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandEnd) return error.exitCode;
  if (error instanceof SluiceError && error.code === 'CONFIG_INVALID') return EXIT.usage;
  if (error instanceof SluiceError && error.code === 'MODEL_INVALID') return EXIT.cannotServe;
  if (error instanceof Error && isListenError(error)) return EXIT.cannotServe;
  return EXIT.unexpected;
}
